import { timingSafeEqual } from 'node:crypto';
import { keyIdBytes } from '../model/key-id.ts';
import type { DataKeyPairSpec, Responses } from '../model/types.ts';
import type { Native, RootKey } from '../native/addon.ts';
import type { ChunkClaim, ChunkResult } from '../store/batch-store.ts';

/** A response of GenerateDataKeyPairWithoutPlaintext. */
export type Pair = Responses['GenerateDataKeyPairWithoutPlaintext'];

const magic = Buffer.from('DKC\x01', 'latin1');
const macLength = 32;
const lengthOfLength = 2;

/** Pairs that were sealed by one material of one key. */
interface Group {
  readonly keyArn: string;
  readonly materialId: string;
  readonly pairs: readonly Pair[];
}

/** The chunk of a batch, by the id of the batch. */
export interface ChunkName extends Pick<ChunkClaim, 'n' | 'pairs' | 'attempt'> {
  readonly batchId: string;
}

/** The pairs of chunks as bytes: authenticated for the batch, the chunk and the attempt. */
export class ChunkValues {
  readonly #native: Native;
  readonly #rootKey: RootKey;

  constructor({ native, rootKey }: { native: Native; rootKey: RootKey }) {
    this.#native = native;
    this.#rootKey = rootKey;
  }

  /**
   * "DKC", version 1, then for each group of pairs the ARN of the key, the id of its material, how many
   * pairs (2 bytes), and for each the public key and the sealed private key; all parts with their
   * lengths (2 bytes) before them. Then the MAC.
   */
  encode(name: ChunkName, pairs: readonly Pair[]): Buffer {
    const parts = groupsOf(pairs).flatMap((group) => [
      ...prefixed(Buffer.from(group.keyArn, 'latin1')),
      ...prefixed(Buffer.from(group.materialId, 'latin1')),
      numberBytes(group.pairs.length),
      ...group.pairs.flatMap(({ PublicKey, PrivateKeyCiphertextBlob }) => [
        ...prefixed(PublicKey as Uint8Array),
        ...prefixed(PrivateKeyCiphertextBlob as Uint8Array),
      ]),
    ]);
    const body = Buffer.concat([magic, ...parts]);
    return Buffer.concat([body, this.#mac(name, body)]);
  }

  /** The pairs that `encode` was given; undefined if a byte of them or the name is another. */
  decode(name: ChunkName, spec: DataKeyPairSpec, { value }: ChunkResult): Pair[] | undefined {
    const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
    if (bytes.length < magic.length + macLength || bytes.indexOf(magic) !== 0) return undefined;
    const body = bytes.subarray(0, -macLength);
    const mac = bytes.subarray(-macLength);
    if (!timingSafeEqual(this.#mac(name, body), mac)) return undefined;
    return decodeGroups(body.subarray(magic.length), spec);
  }

  #mac({ batchId, n, pairs, attempt }: ChunkName, body: Uint8Array): Uint8Array {
    const text = Buffer.from(`batch/${batchId}/${n}.${pairs}.${attempt}\0`, 'latin1');
    const bytes = Buffer.concat([text, body]);
    return this.#native.stateMac(this.#rootKey, keyIdBytes(batchId), bytes);
  }
}

/** In the order of the pairs: a key may be rotated while a chunk is minted. */
function groupsOf(pairs: readonly Pair[]): Group[] {
  const groups: (Group & { pairs: Pair[] })[] = [];
  for (const pair of pairs) {
    const { KeyId: keyArn = '', KeyMaterialId: materialId = '' } = pair;
    const last = groups.at(-1);
    if (last?.keyArn === keyArn && last.materialId === materialId) last.pairs.push(pair);
    else groups.push({ keyArn, materialId, pairs: [pair] });
  }
  return groups;
}

function prefixed(part: Uint8Array): [length: Buffer, part: Uint8Array] {
  return [numberBytes(part.byteLength), part];
}

function numberBytes(number: number): Buffer {
  const bytes = Buffer.alloc(lengthOfLength);
  bytes.writeUInt16BE(number);
  return bytes;
}

/** Reads authenticated bytes. */
function decodeGroups(bytes: Buffer, KeyPairSpec: DataKeyPairSpec): Pair[] {
  let at = 0;
  const number = () => {
    at += lengthOfLength;
    return bytes.readUInt16BE(at - lengthOfLength);
  };
  const part = () => {
    const length = number();
    at += length;
    return new Uint8Array(bytes.subarray(at - length, at));
  };
  const text = () => Buffer.from(part()).toString('latin1');
  const pairs: Pair[] = [];
  while (at < bytes.length) {
    const [KeyId, KeyMaterialId] = [text(), text()];
    for (let left = number(); left > 0; left--) {
      const [PublicKey, PrivateKeyCiphertextBlob] = [part(), part()];
      pairs.push({ PrivateKeyCiphertextBlob, PublicKey, KeyId, KeyPairSpec, KeyMaterialId });
    }
  }
  return pairs;
}
