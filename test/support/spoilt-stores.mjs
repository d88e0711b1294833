// Opens a store again and again, each time with other bytes of its files spoilt, and says what came of
// it. Arguments: the folder of the store, which files and how, from where, and how densely; each variant
// is a line before it is tried, so that the parent knows which one ended the process.
import { createPrivateKey, createPublicKey } from 'node:crypto';
import {
  closeSync,
  existsSync,
  linkSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { ConfigurationError, Pairmint } from '../../dist/index.js';
import { CommitReader } from '../../dist/store/commit-counter.js';
import { monotonicNow } from '../../dist/store/sqlite/calls.js';
import { storeError } from '../../dist/store/sqlite/faults.js';
import { Reader } from '../../dist/store/sqlite/reader.js';
import { SqliteStore } from '../../dist/store/sqlite/sqlite-store.js';
import { Writer } from '../../dist/store/sqlite/writer.js';
import { StoreError } from '../../dist/store/store-errors.js';

const [folder, kind, from = '0', step = '1'] = process.argv.slice(2);
const files = ['store.db', 'store.db-wal', 'store.db-commits', 'store.db-drawn'];
const originals = new Map(
  files.map((name) => {
    try {
      return [name, readFileSync(`${folder}/pristine/${name}`)];
    } catch {
      return [name, undefined];
    }
  }),
);
const known = JSON.parse(readFileSync(`${folder}/known.json`, 'utf8'));
const pageSize = known.pageSize;
// This file knows itself by its inode, and a store that is made anew gets another one.
const keptDrawn = `${folder}/kept-drawn`;
if (!existsSync(keptDrawn)) linkSync(`${folder}/store.db-drawn`, keptDrawn);

/** As LocalEngine, in one thread: thousands of stores are opened here. */
class QuickEngine {
  constructor(file) {
    this.file = file;
  }
  async call(method, args) {
    try {
      if (method in Reader.prototype) {
        this.reader ??= new Reader(this.file);
        return this.reader[method](...args);
      }
      this.writer ??= new Writer(this.file, { mayMake: false });
      const [{ result, failure }] = this.writer.run([
        { id: 0, sentAt: monotonicNow(), method, args },
      ]);
      if (failure) throw new StoreError(failure.fault, failure.message);
      return result;
    } catch (error) {
      throw storeError(error);
    }
  }
  async close() {
    this.reader?.close();
    this.writer?.close();
  }
}
if (kind !== 'whole') {
  SqliteStore.open = async (file, viewFile) => {
    const engine = new QuickEngine(file);
    try {
      await engine.call('dataVersion', []);
    } catch (cause) {
      await engine.close();
      throw new ConfigurationError('it cannot be opened', { cause });
    }
    return new SqliteStore(file, engine, new CommitReader(`${file}-commits`, viewFile));
  };
}

let seed = 12345;
const random = () => {
  seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
  return (seed >>> 8) & 0xff;
};

/** The damage of a number, and the file that it is done to; undefined after the last. */
const kinds = {
  flips: (n) => spoilByte(n, (byte) => byte ^ (1 << (n % 8))),
  bytes: (n) => spoilByte(n, (byte) => byte ^ 0xff),
  /** The same through the engine as users have it. */
  whole: (n) => spoilByte(n, (byte) => byte ^ (1 << (n % 8))),
  pages(n) {
    const [name, bytes, page] = placeOf(Math.floor(n / 4), pageSize);
    if (name === undefined) return undefined;
    for (let at = page * pageSize; at < Math.min(bytes.length, (page + 1) * pageSize); at++) {
      // Some of it, all of it, without its head, zeros.
      if (n % 4 === 0 && random() < 128) continue;
      if (n % 4 === 2 && at % pageSize < 16) continue;
      bytes[at] = n % 4 === 3 ? 0 : random();
    }
    return { name, bytes, what: `page ${page}` };
  },
  /** Each page in another's place. */
  swaps(n) {
    const bytes = Buffer.from(originals.get('store.db'));
    const count = bytes.length / pageSize;
    const [a, b] = [Math.floor(n / count), n % count];
    if (a >= count) return undefined;
    bytes.copyWithin(a * pageSize, b * pageSize, (b + 1) * pageSize);
    return { name: 'store.db', bytes, what: `page ${b} in place ${a}` };
  },
  cuts(n) {
    const [name, bytes, part] = placeOf(n, 512);
    if (name === undefined) return undefined;
    return { name, bytes: bytes.subarray(0, part * 512), what: `${part * 512} bytes` };
  },
};

function placeOf(n, size) {
  let left = n;
  for (const [name, bytes] of originals) {
    const parts = Math.ceil((bytes?.length ?? 0) / size);
    if (left < parts) return [name, Buffer.from(bytes), left];
    left -= parts;
  }
  return [];
}

function spoilByte(n, change) {
  const [name, bytes, at] = placeOf(n, 1);
  if (name === undefined) return undefined;
  bytes[at] = change(bytes[at]);
  return { name, bytes, what: `byte ${at}` };
}

function put({ name, bytes }) {
  rmSync(`${folder}/store.db-shm`, { force: true });
  for (const [file, original] of originals) {
    const content = file === name ? bytes : original;
    const place = `${folder}/${file}`;
    if (file === 'store.db-drawn') {
      rmSync(place, { force: true });
      linkSync(keptDrawn, place);
      const drawn = openSync(place, 'r+');
      writeSync(drawn, content, 0, content.length, 0);
      closeSync(drawn);
    } else {
      rmSync(place, { force: true });
      if (content !== undefined) writeFileSync(place, content);
    }
  }
}

/** Uses everything; whatever fails must fail, and what does not must be right. */
async function tryOut() {
  const seen = { errors: 0, drawn: 0, wrong: [] };
  const attempt = (run) =>
    run().catch((error) => {
      seen.errors++;
      if (!/^(ConfigurationError|KmsError|.*Exception)$/.test(error.name)) {
        seen.wrong.push(`${error.stack}`);
      }
      if (error.name === 'KMSInternalException' && error.message === 'internal failure') {
        seen.wrong.push(`internal failure: ${error.cause?.stack}`);
      }
    });
  await attempt(async () => {
    const kms = await Pairmint.open({
      store: `sqlite:${folder}/store.db`,
      rootKey: { file: `${folder}/root.key` },
      refillPools: false,
    });
    await attempt(() => kms.listKeys({}));
    for (const { KeyId, blob } of known.keys) {
      await attempt(async () => {
        const { CiphertextBlob } = await kms.encrypt({ KeyId, Plaintext: Buffer.from('new') });
        const { Plaintext } = await kms.decrypt({ CiphertextBlob });
        if (Buffer.from(Plaintext).toString() !== 'new') seen.wrong.push('a wrong plaintext');
      });
      await attempt(async () => {
        const { Plaintext } = await kms.decrypt({ CiphertextBlob: Buffer.from(blob, 'base64') });
        if (Buffer.from(Plaintext).toString() !== `old ${KeyId}`) {
          seen.wrong.push('a wrong old plaintext');
        }
      });
    }
    const pairs = new Set(known.answered);
    for (let i = 0; i < 3; i++) {
      await attempt(async () => {
        const pair = await kms.generateDataKeyPair({
          KeyId: known.keys[0].KeyId,
          KeyPairSpec: 'ECC_NIST_EDWARDS25519',
        });
        const key = Buffer.from(pair.PublicKey).toString('base64');
        if (pairs.has(key)) seen.wrong.push('a pair twice');
        pairs.add(key);
        const pkcs8 = { key: Buffer.from(pair.PrivateKeyPlaintext), format: 'der', type: 'pkcs8' };
        const spki = createPublicKey(createPrivateKey(pkcs8)).export({
          format: 'der',
          type: 'spki',
        });
        if (!spki.equals(Buffer.from(pair.PublicKey))) seen.wrong.push('halves of two pairs');
      });
    }
    await attempt(async () => {
      for (const { hits } of await kms.pools.list()) seen.drawn += hits;
    });
    await attempt(() => kms.close());
  });
  return seen;
}

process.emitWarning = () => {};
const total = { tried: 0, noEffect: 0, errors: 0, drawn: 0 };
for (let n = Number(from); ; n += Number(step)) {
  const variant = kinds[kind](n);
  if (variant === undefined) break;
  writeSync(1, `${n} ${variant.name} ${variant.what}\n`);
  put(variant);
  const { errors, drawn, wrong } = await tryOut();
  total.tried++;
  total.drawn += drawn;
  if (errors === 0) total.noEffect++;
  else total.errors++;
  for (const fault of wrong) writeSync(1, `WRONG ${variant.name} ${variant.what}: ${fault}\n`);
}
writeSync(1, `DONE ${JSON.stringify(total)}\n`);
process.exit(0);
