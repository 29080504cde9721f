// The people side of the workspace, over HTTP and Server-Sent Events.

async function call(path, options) {
  const reply = await fetch(path, options).catch(() => null);
  if (!reply) return { ok: false, error: "The workspace cannot be reached." };
  const body = await reply.json().catch(() => ({}));
  if (!reply.ok) return { ok: false, error: body.error || `The workspace answered ${reply.status}` };
  return body;
}

export const get = (path, query) => call(`/ui/${path}?${new URLSearchParams(query)}`);

export const post = (path, body) =>
  call(`/ui/${path}`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });

/** Follow one person's events. `onOpen` runs at each (re)connection, `onLost` when the line drops. Returns a function that ends it. */
export function follow(user, { onEvent, onOpen, onLost }) {
  let source, timer;
  const connect = () => {
    source = new EventSource(`/ui/events?as=${user}`);
    source.onopen = onOpen;
    source.onmessage = (message) => onEvent(JSON.parse(message.data));
    source.onerror = () => {
      onLost();
      // The browser retries a dropped line by itself, but gives up for good on an error status.
      if (source.readyState === EventSource.CLOSED) timer = setTimeout(connect, 1500);
    };
  };
  connect();
  return () => { clearTimeout(timer); source.close(); };
}

/** Run `task` now, or once more after the run under way: many hints, one re-read. */
export function coalesce(task) {
  let running = null, again = false;
  const run = async () => {
    do { again = false; await task(); } while (again);
  };
  return () => {
    if (running) { again = true; return running; }
    running = run().finally(() => { running = null; });
    return running;
  };
}
