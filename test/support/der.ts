/** Writes DER (X.690) of at most 64 KiB. */
export function element(tag: number, ...contents: Uint8Array[]): Buffer {
  const content = Buffer.concat(contents);
  const { length } = content;
  const long = length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...(length < 0x80 ? [length] : long)]), content]);
}

export const octets = (content: Uint8Array) => element(0x04, content);
export const sequence = (...elements: Uint8Array[]) => element(0x30, ...elements);

/** An INTEGER that is not negative. */
export function integer(x: bigint): Buffer {
  const digits = x.toString(16);
  const bytes = Buffer.from(digits.padStart(digits.length + (digits.length % 2), '0'), 'hex');
  return element(0x02, (bytes[0] as number) < 0x80 ? bytes : Buffer.from([0, ...bytes]));
}
