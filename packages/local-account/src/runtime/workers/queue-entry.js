/** What a queue's binding reaches. It names the queue to its object (queues.js), and adds the binding's own delay. */
export default {
  fetch(request, { OBJECTS, QUEUE, DELAY }) {
    const headers = new Headers(request.headers);
    headers.set("Account-Queue", QUEUE);
    if (DELAY !== null && !headers.has("X-Msg-Delay-Secs")) headers.set("X-Msg-Delay-Secs", String(DELAY));
    return OBJECTS.get(OBJECTS.idFromName(QUEUE)).fetch(new Request(request, { headers }));
  },
};
