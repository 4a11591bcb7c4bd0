/** The floor on Deno: sockets, and a text made beforehand that is sent to all of them. See `floor-worker.js`. */
const sockets = new Set();
let timer;

Deno.serve(
  {
    hostname: "127.0.0.1",
    port: 0,
    onListen: ({ port }) => console.log(JSON.stringify({ event: "listen", port })),
  },
  (request) => {
    if (request.headers.get("upgrade") === "websocket") return accepted(request);
    const { hz, bytes } = Object.fromEntries(new URL(request.url).searchParams);
    clearTimeout(timer);
    const text = `{"type":"agent_update","x":"${"x".repeat(Math.max(0, bytes - 30))}"}`;
    if (Number(hz) > 0) wait(1_000 / hz, Date.now(), text);
    return new Response();
  },
);

function accepted(request) {
  const { socket, response } = Deno.upgradeWebSocket(request);
  socket.onopen = () => sockets.add(socket);
  socket.onclose = () => sockets.delete(socket);
  return response;
}

function wait(intervalMs, dueMs, text) {
  timer = setTimeout(
    () => {
      wait(intervalMs, Math.max(dueMs + intervalMs, Date.now()), text);
      for (const socket of sockets) socket.send(text);
    },
    Math.max(0, dueMs - Date.now()),
  );
}
