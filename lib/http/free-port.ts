import { type AddressInfo, createServer } from 'node:net';

/** A port that is free to listen on; 0 if the address has none for us. */
export function freePort(host = '127.0.0.1'): Promise<number> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', () => resolve(0));
    server.listen({ host, port: 0 }, () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}
