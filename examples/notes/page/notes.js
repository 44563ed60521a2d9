// What is written here goes to the API; what is shown comes from the news alone, in this window as in every other.

const FIRST_PAUSE_MS = 500, LONGEST_PAUSE_MS = 10_000;
const [state, list, problem, form, shown, edited] =
  ["state", "notes", "problem", "new", "shown", "edited"].map(id => document.getElementById(id));
const byEvents = new URLSearchParams(location.search).get("live") === "events";
let pause = FIRST_PAUSE_MS;

// --- news ---

function listen() {
  if (byEvents) {
    const events = new EventSource("api/events");  // it comes back by itself
    events.onopen = () => show("open", "Live, by events");
    events.onmessage = event => hear(JSON.parse(event.data));
    events.onerror = () => {
      show("closed", "Disconnected, trying again …");
      if (events.readyState === EventSource.CLOSED) again();
    };
    return;
  }
  const url = new URL("api/live", location.href);
  url.protocol = url.protocol.replace("http", "ws");
  const socket = new WebSocket(url);
  socket.onopen = () => show("open", "Live, by WebSocket");
  socket.onmessage = event => hear(JSON.parse(event.data));
  socket.onclose = () => {
    show("closed", "Disconnected, trying again …");
    again();
  };
}

function again() {
  setTimeout(listen, pause * (.5 + Math.random() / 2));
  pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
}

function show(kind, words) {
  if (kind === "open") pause = FIRST_PAUSE_MS;
  state.dataset.state = kind;
  state.textContent = words;
}

function hear({what, notes}) {
  if (what === "all") {
    const there = new Set(notes.map(note => itemId(note)));
    [...list.children].filter(item => !there.has(item.id)).forEach(item => item.remove());
    notes.toReversed().forEach(put);  // each goes to the top
  } else {
    notes.forEach(what === "saved" ? put : note => document.getElementById(itemId(note))?.remove());
  }
}

// --- notes ---

const itemId = note => `note-${note.id}`;

function put(note) {
  const old = document.getElementById(itemId(note));
  if (old?.querySelector("form")) return void (old.note = note);  // being edited here: not torn from under the fingers
  const item = shown.content.firstElementChild.cloneNode(true);
  item.id = itemId(note);
  item.note = note;
  item.querySelector("h2").textContent = note.title;  // text, never markup
  item.querySelector(".text").textContent = note.text;
  const time = item.querySelector("time");
  time.dateTime = note.edited;
  time.textContent = new Date(note.edited).toLocaleString();
  item.querySelector("[name=edit]").onclick = () => edit(item);
  item.querySelector("[name=delete]").onclick = () => send("DELETE", `/${note.id}`);
  old?.remove();
  list.prepend(item);
}

function edit(item) {
  const form = edited.content.firstElementChild.cloneNode(true);
  form.elements.title.value = item.note.title;
  form.elements.text.value = item.note.text;
  const close = () => { form.remove(); put(item.note); };
  form.querySelector("[name=cancel]").onclick = close;
  form.onsubmit = async event => {
    event.preventDefault();
    const note = await send("PATCH", `/${item.note.id}`, form);
    if (note) { item.note = note; close(); }
  };
  item.replaceChildren(form);
  form.elements.title.focus();
}

form.onsubmit = async event => {
  event.preventDefault();
  if (await send("POST", "", form)) form.reset();
  form.elements.title.focus();
};

async function send(method, path, form) {
  const body = form && JSON.stringify({title: form.elements.title.value, text: form.elements.text.value});
  try {
    const answer = await fetch(`api/notes${path}`, {method, body, headers: {"content-type": "application/json"}});
    if (!answer.ok) throw Error(reason(await answer.json()));
    problem.hidden = true;
    return answer.status === 204 || await answer.json();
  } catch (error) {
    problem.hidden = false;
    problem.textContent = error.message;
  }
}

const reason = ({detail}) => typeof detail === "string" ? detail : detail.map(each => each.msg).join("; ");

listen();
