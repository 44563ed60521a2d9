"""The processes of a server: a supervisor and its workers, or one that does all.

`supervisor` opens the sockets and keeps the workers: each sits in a `seats.Seat`, was started by a `launcher`, and is
seen by the supervisor as a `children.Child`. In its own process it is `entry`, then `worker`; `channel` is between the
two. `template` is where preloaded workers are forked; `upgrade` hands over to another supervisor; `alone` does without.
"""
