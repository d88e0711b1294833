// Makes requests of many kinds over 200 connections, looks for one that is lost or gets another's
// answer and for memory that grows, and measures DescribeKey while RSA_4096 pairs are minted:
// `npm run soak`, or node test/soak/http-soak.mjs [requests a round] [rounds].
import { openLoad } from '../support/http-load.mjs';
import { residentMemory, startServer } from '../support/server-process.mjs';

const [count = 10_000, rounds = 5] = process.argv.slice(2).map(Number);
const connections = 200;
// The garbage collector leaves more or less of what it could; a leak of a kilobyte a request is ten
// times as much in a round.
const allowedGrowth = { mebibytes: 24 };

const server = await startServer();
const credentials = await server.accessKey();
const load = await openLoad({ url: server.url, credentials, connections });

const failures = [];
const memory = [];
for (let round = 0; round <= rounds; round++) {
  const started = performance.now();
  const { answered, failures: lost } = await load.run(count);
  failures.push(...lost);
  memory.push(residentMemory(server.pid));
  const rate = Math.round(count / ((performance.now() - started) / 1000));
  const title = round === 0 ? 'warm-up' : `round ${round}`;
  const mebibytes = memory.at(-1).toFixed(1);
  console.log(
    `${title}: ${answered} of ${count} answered, ${rate} a second, resident ${mebibytes} MiB`,
  );
}
const growth = memory.at(-1) - memory[0];
console.log(`resident memory after the warm-up and at the end: ${growth.toFixed(1)} MiB more`);

await describeWhile('nothing else runs', async () => {});
await describeWhile('two RSA_4096 pairs are minted at any time', mint);

load.close();
const code = await server.stop();
for (const line of failures.slice(0, 20)) console.error(line);
if (code !== 0) console.error(`the server ended with ${code}`);
const isFlat = growth <= allowedGrowth.mebibytes;
if (!isFlat) console.error('memory grew');
process.exit(failures.length === 0 && isFlat && code === 0 ? 0 : 1);

/** Prints how long DescribeKey takes while `work` runs, again and again, in two lanes. */
async function describeWhile(title, work) {
  const { client, keys } = load;
  const { KeyId } = keys[0];
  let isOver = false;
  let worked = 0;
  const lanes = [0, 1].map(async () => {
    do {
      await work(client, KeyId);
      worked++;
    } while (!isOver && work === mint);
  });
  const times = [];
  for (let i = 0; i < 2000; i++) {
    const started = performance.now();
    await client.describeKey({ KeyId });
    times.push(performance.now() - started);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  isOver = true;
  await Promise.all(lanes);
  times.sort((a, b) => a - b);
  const [median, p99, longest] = [0.5, 0.99, 1].map((share) =>
    times[Math.ceil(share * times.length) - 1].toFixed(1),
  );
  const pairs = work === mint ? `; ${worked} pairs` : '';
  console.log(
    `DescribeKey while ${title}: median ${median} ms, p99 ${p99} ms, longest ${longest} ms${pairs}`,
  );
}

function mint(client, KeyId) {
  return client.generateDataKeyPairWithoutPlaintext({ KeyId, KeyPairSpec: 'RSA_4096' });
}
