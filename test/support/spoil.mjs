// Spoilt stores, tried out in processes that may end by it.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Pairmint } from '../../dist/index.js';
import { loadEngine } from '../../dist/store/sqlite/engine.js';
import { openIn, placesIn, spec } from './attacks.mjs';

const script = fileURLToPath(new URL('./spoilt-stores.mjs', import.meta.url));

/** Makes a small store with three keys and a pool, of which one claim was answered. */
export async function makeSmallStore(folder, { pageSize = 512 } = {}) {
  const { DatabaseSync } = loadEngine();
  const database = new DatabaseSync(`${folder}/store.db`);
  database.exec(`pragma page_size = ${pageSize}; vacuum`);
  database.close();
  const kms = await openIn(folder);
  const keys = [];
  for (const rotated of [false, true, false]) {
    const { KeyMetadata } = await kms.createKey({});
    const { KeyId } = KeyMetadata;
    const { CiphertextBlob } = await kms.encrypt({ KeyId, Plaintext: Buffer.from(`old ${KeyId}`) });
    if (rotated) await kms.rotateKeyOnDemand({ KeyId });
    keys.push({ KeyId, blob: Buffer.from(CiphertextBlob).toString('base64') });
  }
  const [{ KeyId }] = keys;
  const pool = { KeyId, KeyPairSpec: spec };
  await kms.pools.create({ ...pool, target: 12 });
  await kms.pools.fill({ pool });
  const { store, file } = placesIn(folder);
  const other = await Pairmint.open({ store, rootKey: { file }, refillPools: false });
  const answered = [];
  for (let i = 0; i < 3; i++) {
    const { PublicKey } = await other.generateDataKeyPairWithoutPlaintext(pool);
    answered.push(Buffer.from(PublicKey).toString('base64'));
  }
  // While it is open: with its file of changes.
  mkdirSync(`${folder}/pristine`);
  for (const name of ['store.db', 'store.db-wal', 'store.db-commits', 'store.db-drawn']) {
    cpSync(`${folder}/${name}`, `${folder}/pristine/${name}`);
  }
  writeFileSync(`${folder}/known.json`, JSON.stringify({ keys, answered, pageSize }));
  await other.close();
  await kms.close();
}

/** Moves all that is in the file of changes into the store's. */
export function mergeChanges(folder) {
  const { DatabaseSync } = loadEngine();
  const database = new DatabaseSync(`${folder}/pristine/store.db`);
  database.exec('pragma wal_checkpoint(truncate)');
  database.close();
}

/**
 * Tries out spoilt copies.
 *
 * @returns how many, what was wrong, and after which variants the process ended or hung
 */
export async function tryAll(folder, kind, { from = 0, step = 1, silence = 60_000 } = {}) {
  const found = { tried: 0, noEffect: 0, errors: 0, drawn: 0, wrong: [], ended: [], hung: [] };
  for (let next = from; ; ) {
    const args = [script, folder, kind, `${next}`, `${step}`];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    const lines = [];
    let complaint = '';
    child.stderr.on('data', (data) => {
      complaint = `${complaint}${data}`.slice(-2000);
    });
    let rest = '';
    let hung = false;
    const kill = () => {
      hung = true;
      child.kill('SIGKILL');
    };
    let timer = setTimeout(kill, silence);
    child.stdout.on('data', (data) => {
      clearTimeout(timer);
      timer = setTimeout(kill, silence);
      const parts = `${rest}${data}`.split('\n');
      rest = parts.pop();
      lines.push(...parts);
    });
    const [code, signal] = await once(child, 'close');
    clearTimeout(timer);
    found.wrong.push(...lines.filter((line) => line.startsWith('WRONG ')));
    const done = lines.find((line) => line.startsWith('DONE '));
    const variants = lines.filter((line) => /^\d/.test(line));
    if (done !== undefined) {
      const total = JSON.parse(done.slice(5));
      for (const name of ['tried', 'noEffect', 'errors', 'drawn']) found[name] += total[name];
      return found;
    }
    const last = variants.at(-1) ?? 'none';
    found[hung ? 'hung' : 'ended'].push(`${last}: ${signal ?? code} ${complaint}`);
    found.tried += variants.length;
    next = Number.parseInt(last, 10) + step;
    if (Number.isNaN(next) || found.hung.length + found.ended.length > 50) return found;
  }
}
