import type { IncomingMessage } from 'node:http';
import { fieldValue, type HeaderFields } from './message.ts';

// KMS's largest request, an import of key material, has some 20 KiB.
const maxLength = 1_048_576;

/**
 * Reads a request's body and hands it over, undefined where it is too large; never where the client
 * goes away. A promise would take longer than most bodies do.
 */
export function readBody(
  request: IncomingMessage,
  headers: HeaderFields,
  take: (body: Uint8Array | undefined) => void,
): void {
  if (Number(fieldValue(headers, 'content-length')) > maxLength) {
    take(undefined);
    return;
  }
  const chunks: Buffer[] = [];
  let length = 0;
  const end = () => take(chunks.length === 1 ? chunks[0] : Buffer.concat(chunks, length));
  request.on('data', (chunk: Buffer) => {
    length += chunk.length;
    if (length <= maxLength) {
      chunks.push(chunk);
      return;
    }
    // Node.js reads on when it is answered, and may come to the end.
    request.pause().removeAllListeners('data').off('end', end);
    take(undefined);
  });
  request.on('end', end);
}
