import { GeneralError } from '../errors.ts';

type Decode = (bytes: Uint8Array) => string;

const oneByte: Decode = (bytes) => Buffer.from(bytes).toString('latin1');

// From 0x80 on. TextDecoder has it, too, but that of Node.js 20 reads Latin 1 in its place.
const westernEurope = '€\0‚ƒ„…†‡ˆ‰Š‹Œ\0Ž\0\0‘’“”•–—˜™š›œ\0žŸ';

const windows1252: Decode = (bytes) =>
  oneByte(bytes).replaceAll(/[\x80-\x9f]/g, (character) => {
    const replaced = westernEurope.charAt(character.charCodeAt(0) - 0x80);
    if (replaced === '\0') throw new TypeError('a byte that the code page does not have');
    return replaced;
  });

/** Encodings that TextDecoder lacks or has under another name, by Python's names. */
const decoders: Readonly<Record<string, Decode>> = {
  // TextDecoder has Windows' code page for both.
  'latin-1': oneByte,
  latin1: oneByte,
  l1: oneByte,
  'iso-8859-1': oneByte,
  'iso8859-1': oneByte,
  cp1252: windows1252,
  '1252': windows1252,
  'windows-1252': windows1252,
  ascii: ascii,
  'us-ascii': ascii,
  '646': ascii,
  'utf-16': (bytes) => decodeBy(isBigEndian(bytes) ? 'utf-16be' : 'utf-16le', bytes, false),
  'utf-16-le': (bytes) => decodeBy('utf-16le', bytes, true),
  'utf-16-be': (bytes) => decodeBy('utf-16be', bytes, true),
  'utf-8-sig': (bytes) => decodeBy('utf-8', bytes, false),
  utf8: (bytes) => decodeBy('utf-8', bytes, true),
};

/**
 * Decodes as Python does by the encoding of that name.
 *
 * @throws GeneralError if there is no such encoding; TypeError if the bytes are not of it
 */
export function decodeText(bytes: Uint8Array, encoding: string): string {
  const name = encoding.trim().toLowerCase().replaceAll(/[_ ]/g, '-');
  const decode = Object.hasOwn(decoders, name) ? decoders[name] : undefined;
  return decode === undefined ? decodeBy(labelOf(name, encoding), bytes, true) : decode(bytes);
}

/** `cp1252` is `windows-1252` there. */
function labelOf(name: string, encoding: string): string {
  const [, page] = /^(?:cp|windows-?)(\d+)$/.exec(name) ?? [];
  const label = page === undefined ? name : `windows-${page}`;
  try {
    new TextDecoder(label);
    return label;
  } catch {
    throw new GeneralError(`unknown encoding: ${encoding}`);
  }
}

function decodeBy(label: string, bytes: Uint8Array, ignoreBOM: boolean): string {
  return new TextDecoder(label, { fatal: true, ignoreBOM }).decode(bytes);
}

function ascii(bytes: Uint8Array): string {
  if (bytes.some((byte) => byte > 0x7f)) throw new TypeError('not ASCII');
  return oneByte(bytes);
}

function isBigEndian(bytes: Uint8Array): boolean {
  return bytes[0] === 0xfe && bytes[1] === 0xff;
}
