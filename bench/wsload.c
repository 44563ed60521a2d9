/* The load of the WebSocket rows: an epoll client with one message outstanding on each connection.
 * Usage: wsload PORT CONNECTIONS SIZE SECONDS echo|upload|idle text|binary [deflate]
 *
 * echo expects each message back, upload its length in decimal as text, idle one echo on each connection as it opens.
 * With `deflate` the extension is offered, though no message is sent compressed.
 *
 * The caller measures by the pipes: echo and upload print "open" once every connection is, and begin at a byte (or the
 * end) of the input; after the line "N messages in S s" the connections stay open until the end of the input. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { CONTINUATION, TEXT, BINARY, CLOSE = 8, PING, PONG, PATIENCE = 10, GRACE = 60 };

struct connection {
    int fd;
    bool blocked, due, pong_due, asked; /* no room in the socket; a frame, a pong to be begun; an answer to come */
    const uint8_t *out;                 /* what is being sent: the frame or the pong */
    size_t out_left;
    uint8_t head[10], opcode;           /* of the frame being read */
    size_t head_size, control_size;
    uint64_t left;                      /* of its payload */
    uint8_t control[125], pong[131];    /* the payload of the last control frame; the answer to it */
    uint8_t message;                    /* opcode of the message being read, 0 between messages */
    size_t got;                         /* of its payload */
    bool compressed, reading;           /* the message is compressed; the head of the frame is complete */
};

static const char KEY[] = "dGhlIHNhbXBsZSBub25jZQ==", ACCEPT[] = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="; /* RFC 6455, 1.3 */
static const uint8_t MASK[4] = {0x37, 0xfa, 0x21, 0x3d};
static int port, epoll, asked; /* asked: answers to come */
static bool deflate;
static uint8_t *frame, *expected, expected_opcode, buffer[1 << 18];
static size_t frame_size, expected_size;
static long messages;
static double deadline;

static void out_of_time(int signal) { errx(signal, "the run took too long"); }

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

/* Write a final masked frame to `target`, which has room for 14 bytes more than the payload; return its size. */
static size_t make_frame(uint8_t *target, uint8_t opcode, const uint8_t *payload, size_t size) {
    size_t head = 2, bytes = size < 126 ? 0 : size < 65536 ? 2 : 8;
    target[0] = 0x80 | opcode;
    target[1] = 0x80 | (bytes == 0 ? size : bytes == 2 ? 126 : 127);
    while (bytes--) target[head++] = (uint64_t)size >> 8 * bytes;
    memcpy(target + head, MASK, 4);
    head += 4;
    for (size_t i = 0; i < size; i++) target[head + i] = payload[i] ^ MASK[i % 4];
    return head + size;
}

static void watch(struct connection *c, int operation, bool blocked) {
    struct epoll_event event = {.events = EPOLLIN | (blocked ? EPOLLOUT : 0), .data.ptr = c};
    if (operation == EPOLL_CTL_MOD && c->blocked == blocked) return;
    c->blocked = blocked;
    if (epoll_ctl(epoll, operation, c->fd, &event)) err(1, "epoll_ctl");
}

/* Send what is due until the socket takes no more; frame and pong never mix. */
static void flush(struct connection *c) {
    for (;;) {
        if (c->out_left == 0) {
            bool pong = c->pong_due;
            if (!pong && !c->due) return watch(c, EPOLL_CTL_MOD, false);
            c->out = pong ? c->pong : frame;
            c->out_left = pong ? make_frame(c->pong, PONG, c->control, c->control_size) : frame_size;
            c->due = c->due && pong;
            c->pong_due = false;
        }
        ssize_t sent = send(c->fd, c->out, c->out_left, MSG_NOSIGNAL);
        if (sent < 0 && errno == EAGAIN) return watch(c, EPOLL_CTL_MOD, true);
        if (sent < 0) err(1, "send");
        c->out += sent;
        c->out_left -= sent;
    }
}

static void ask(struct connection *c) {
    asked++;
    c->asked = c->due = true;
}

static void begin_frame(struct connection *c) {
    uint8_t first = c->head[0], size = c->head[1];
    c->opcode = first & 15;
    c->left = size < 126 ? size : 0;
    if (size & 0x80) errx(1, "a masked frame");
    for (size_t i = 2; i < c->head_size; i++) c->left = c->left << 8 | c->head[i];
    if (c->opcode >= CLOSE) {
        if (c->opcode > PONG || first >> 4 != 8 || size > 125) errx(1, "a control frame of 0x%02x%02x", first, size);
        c->control_size = c->pong_due = 0; /* a newer ping is answered instead */
        return;
    }
    if ((c->opcode == CONTINUATION) != (c->message != 0)) errx(1, "opcode %d out of turn", c->opcode);
    if (first & (deflate && c->opcode ? 0x30 : 0x70)) errx(1, "reserved bits, 0x%02x", first);
    if (c->opcode == CONTINUATION) return;
    if (!c->asked || c->opcode != expected_opcode) errx(1, "an unexpected message of opcode %d", c->opcode);
    c->message = c->opcode;
    c->compressed = first & 0x40;
    c->got = 0;
}

static void read_payload(struct connection *c, const uint8_t *data, size_t size) {
    if (c->opcode >= CLOSE) {
        memcpy(c->control + c->control_size, data, size);
        c->control_size += size;
        return;
    }
    if (!c->compressed && (size > expected_size - c->got || memcmp(data, expected + c->got, size)))
        errx(1, "a wrong answer: differs after %zu bytes", c->got);
    c->got += size;
}

static void end_frame(struct connection *c) {
    if (c->opcode == CLOSE) errx(1, "closed early, code %d", c->control[0] << 8 | c->control[1]);
    if (c->opcode == PING) c->pong_due = true;
    if (c->opcode >= CLOSE || !(c->head[0] & 0x80)) return;
    if (!c->compressed && c->got != expected_size) errx(1, "an answer of %zu bytes, not %zu", c->got, expected_size);
    c->message = c->asked = 0;
    messages++;
    asked--;
    if (now() < deadline) ask(c);
}

static void feed(struct connection *c, const uint8_t *data, size_t size) {
    while (size > 0) {
        if (!c->reading) {
            c->head[c->head_size++] = *data++;
            size--;
            if (c->head_size < 2 || c->head_size < (c->head[1] < 126 ? 2 : c->head[1] == 126 ? 4 : 10)) continue;
            begin_frame(c);
            c->reading = true;
        }
        size_t take = size < c->left ? size : c->left;
        read_payload(c, data, take);
        data += take;
        size -= take;
        c->left -= take;
        if (c->left > 0) continue;
        end_frame(c);
        c->head_size = c->reading = 0;
    }
}

/* Connect and shake hands, then let epoll watch the connection. */
static void open_connection(struct connection *c) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct timeval patience = {.tv_sec = PATIENCE};
    char text[4097], *end = NULL;
    int on = 1, size, got = 0;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (connect(c->fd, (struct sockaddr *)&address, sizeof address)) err(1, "connect");
    size = snprintf(text, sizeof text,
                    "GET / HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                    "Sec-WebSocket-Key: %s\r\nSec-WebSocket-Version: 13\r\n%s\r\n", port, KEY,
                    deflate ? "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n" : "");
    if (send(c->fd, text, size, MSG_NOSIGNAL) != size) err(1, "the handshake");
    for (text[0] = 0; !(end = strstr(text, "\r\n\r\n")); text[got += size] = 0) {
        size = recv(c->fd, text + got, sizeof text - 1 - got, 0);
        if (size <= 0) errx(1, "the handshake was not answered whole:\n%s", text);
    }
    *end = 0;
    if (strncmp(text, "HTTP/1.1 101 ", 13) || !strstr(text, ACCEPT)) errx(1, "the handshake was answered:\n%s", text);
    if (!strcasestr(text, "\nsec-websocket-extensions:") != !deflate) errx(1, "extensions:\n%s", text);
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
    watch(c, EPOLL_CTL_ADD, false);
    feed(c, (uint8_t *)end + 4, text + got - end - 4);
    flush(c);
}

/* Send a message on each of `count` connections, the next at each answer before the deadline; end with all answered. */
static void exchange(struct connection *first, int count) {
    struct epoll_event events[256];
    for (int i = 0; i < count; i++) {
        ask(first + i);
        flush(first + i);
    }
    while (asked > 0) {
        int ready = epoll_wait(epoll, events, 256, PATIENCE * 1000);
        if (ready == 0) errx(1, "no answer in %d s; %d are outstanding", PATIENCE, asked);
        for (int i = 0; i < ready; i++) {
            struct connection *c = events[i].data.ptr;
            if (events[i].events & ~EPOLLOUT) {
                ssize_t size = recv(c->fd, buffer, sizeof buffer, 0);
                if (size == 0) errx(1, "closed early");
                if (size > 0) feed(c, buffer, size);
                else if (errno != EAGAIN) err(1, "recv");
            }
            flush(c);
        }
    }
}

int main(int argc, char **argv) {
    if (argc < 7) errx(1, "wrong arguments, see wsload.c");
    port = atoi(argv[1]);
    deflate = argc > 7;
    int count = atoi(argv[2]);
    size_t size = strtoul(argv[3], NULL, 10);
    double seconds = atof(argv[4]), started = now();
    bool idle = !strcmp(argv[5], "idle"), upload = !strcmp(argv[5], "upload"), text = !strcmp(argv[6], "text");
    struct connection *all = calloc(count, sizeof *all);
    uint8_t *payload = expected = malloc(size + 1);
    for (size_t i = 0; i < size; i++) payload[i] = text ? 'a' + i % 26 : i * 167;
    frame_size = make_frame(frame = malloc(size + 14), text ? TEXT : BINARY, payload, size);
    expected_size = upload ? (size_t)asprintf((char **)&expected, "%zu", size) : size;
    expected_opcode = text || upload ? TEXT : BINARY;
    setlinebuf(stdout);
    signal(SIGALRM, out_of_time);
    alarm(GRACE + seconds);
    epoll = epoll_create1(0);
    for (int i = 0; i < count; i++) {
        open_connection(all + i);
        if (idle) exchange(all + i, 1);
    }
    if (!idle) {
        puts("open");
        if (read(STDIN_FILENO, buffer, 1) < 0) err(1, "read");
        started = now();
        deadline = started + seconds;
        exchange(all, count);
    }
    printf("%ld messages in %.3f s\n", messages, now() - started);
    while (read(STDIN_FILENO, buffer, sizeof buffer) > 0) continue;
    return 0;
}
