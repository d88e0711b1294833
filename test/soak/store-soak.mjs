// Kills processes that make keys in a shared store, again and again, and then looks for every key
// that was answered: `npm run soak`, or node test/soak/store-soak.mjs [rounds].
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Pairmint } from '../../dist/index.js';

const rounds = Number(process.argv[2] ?? 200);
const script = fileURLToPath(new URL('../support/store-process.mjs', import.meta.url));
const folder = mkdtempSync(path.join(os.tmpdir(), 'pairmint-soak-'));
const places = [`sqlite:${folder}/store.db`, `${folder}/root.key`];

async function makeAndKill() {
  const child = spawn(process.execPath, [script, ...places, 'createKeys', '100000']);
  let output = '';
  child.stdout.on('data', (data) => {
    output += data;
  });
  const closed = once(child, 'close');
  await Promise.race([once(child.stdout, 'data'), closed]);
  await new Promise((done) => setTimeout(done, Math.random() * 100));
  child.kill('SIGKILL');
  await closed;
  return output.split('\n').slice(0, -1);
}

const answered = [];
for (let round = 0; round < rounds; round++) {
  answered.push(...(await Promise.all([makeAndKill(), makeAndKill()])).flat());
}
const strange = answered.filter((line) => !/^[0-9a-f-]{36}$/.test(line));
const kms = await Pairmint.open({ store: places[0], rootKey: { file: places[1] } });
const lost = [];
for (const KeyId of answered) {
  const opened = kms
    .encrypt({ KeyId, Plaintext: Buffer.from('x') })
    .then(({ CiphertextBlob }) => kms.decrypt({ CiphertextBlob }));
  await opened.catch((error) => lost.push(`${KeyId}: ${error.message}`));
}
await kms.close();
rmSync(folder, { recursive: true });
console.log(`${2 * rounds} kills, ${answered.length} keys answered, ${lost.length} lost`);
for (const line of [...strange, ...lost].slice(0, 20)) console.error(line);
process.exit(strange.length + lost.length === 0 ? 0 : 1);
