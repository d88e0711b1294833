// One server of the benchmark, in a process of its own. Argument: JSON { side,
// places, pooled }. Says where it
// listens, and tells the CPU time of all its threads, in milliseconds, whenever it is asked.
import http from 'node:http';

const { side, places, pooled } = JSON.parse(process.argv[2]);
const principal = 'arn:aws:iam::000000000000:user/bench';

const sides = {
  async pairmint() {
    const { Pairmint } = await import('../../dist/index.js');
    const { createServer } = await import('../../dist/server.js');
    const kms = await Pairmint.open({ ...places, refillPools: false });
    const { KeyMetadata } = await kms.createKey({});
    const { KeyMetadata: poolKey } = await kms.createKey({});
    const pool = { KeyId: poolKey.KeyId, KeyPairSpec: 'RSA_4096' };
    await kms.pools.create({ ...pool, target: pooled });
    await kms.pools.fill({ pool, most: 1 });
    const { stock } = await import('./stock.mjs');
    await stock(places, { ...pool, count: pooled });
    return {
      url: await createServer(kms).listen({ port: 0 }),
      credentials: await kms.credentials.create({ principal }),
      keyId: KeyMetadata.KeyId,
      pooledKeyId: pool.KeyId,
      capabilities: kms.capabilities(),
    };
  },
  // Reads the body and answers what it was told to.
  async bare() {
    let answer;
    process.on('message', (message) => {
      if (message !== 'cpu') answer = message;
    });
    const server = http.createServer((request, response) => {
      const chunks = [];
      request.on('data', (chunk) => chunks.push(chunk));
      request.on('end', () => {
        Buffer.concat(chunks);
        response.writeHead(200, answer.headers).end(answer.body);
      });
    });
    await new Promise((done) => server.listen({ port: 0, host: '127.0.0.1' }, done));
    return { url: `http://127.0.0.1:${server.address().port}` };
  },
};

const ready = await sides[side]();
process.on('message', (message) => {
  const { user, system } = process.cpuUsage();
  process.send(message === 'cpu' ? (user + system) / 1000 : 'told');
});
process.send(ready);
