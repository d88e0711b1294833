import type { IncomingMessage } from 'node:http';
import { fieldValue, type HeaderFields } from './message.ts';

// KMS's largest request, an import of key material, has some 20 KiB.
const maxLength = 1_048_576;

/** Reads a request's body; undefined where it is too large. Rejects where the client goes away. */
export function readBody(
  request: IncomingMessage,
  headers: HeaderFields,
): Promise<Uint8Array | undefined> {
  return new Promise((resolve, reject) => {
    if (Number(fieldValue(headers, 'content-length')) > maxLength) {
      resolve(undefined);
      return;
    }
    const chunks: Buffer[] = [];
    let length = 0;
    request.on('data', (chunk: Buffer) => {
      length += chunk.length;
      if (length <= maxLength) {
        chunks.push(chunk);
        return;
      }
      request.pause().removeAllListeners('data');
      resolve(undefined);
    });
    request.once('end', () => {
      resolve(chunks.length === 1 ? chunks[0] : Buffer.concat(chunks, length));
    });
    request.once('error', reject);
  });
}
