// Loads a server over kept connections with requests that are bytes already, so that the client costs
// little: it writes one to each connection, and the next when it has read the answer to the end.
import { connect } from 'node:net';

export async function openLoad(port, connections) {
  const lanes = await Promise.all(Array.from({ length: connections }, () => openLane(port)));
  return {
    /** Sends `count` of the requests, one after the other and around again; times in milliseconds. */
    async run(requests, count) {
      const times = [];
      let sent = 0;
      const serve = async (lane) => {
        while (sent < count) {
          const started = performance.now();
          const head = await lane.ask(requests[sent++ % requests.length]);
          if (!head.startsWith('HTTP/1.1 200 ')) throw new Error(lane.answer());
          times.push(performance.now() - started);
        }
      };
      const started = performance.now();
      await Promise.all(lanes.map(serve));
      return { times, wall: performance.now() - started };
    },
    /** The whole answer to one request, as text. */
    async ask(request) {
      await lanes[0].ask(request);
      return lanes[0].answer();
    },
    close() {
      for (const { socket } of lanes) socket.destroy();
    },
  };
}

async function openLane(port) {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  await new Promise((done, failed) => socket.once('connect', done).once('error', failed));
  let received = '';
  let waiting;
  socket.setEncoding('latin1');
  socket.on('data', (text) => {
    received += text;
    const headEnd = received.indexOf('\r\n\r\n');
    if (headEnd === -1) return;
    const head = received.slice(0, headEnd);
    const [, length] = /\r\ncontent-length: (\d+)/i.exec(head) ?? [];
    if (received.length >= headEnd + 4 + Number(length)) waiting.done(head);
  });
  socket.on('close', () => waiting?.failed(new Error('the server closed a connection')));
  return {
    socket,
    ask: (request) =>
      new Promise((done, failed) => {
        received = '';
        waiting = { done, failed };
        socket.write(request);
      }),
    answer: () => received,
  };
}
