import { GeneralError } from '../errors.ts';

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/**
 * Decodes base64 as leniently as the AWS CLI, which skips line ends and all else that is not of the
 * alphabet and stops at the padding, but wants the last group complete. Complaints do not repeat a
 * secret, because they may end up in a log.
 */
export function decodeBase64(text: string, { isSecret = false } = {}): Uint8Array {
  if (!/^[\0-\x7f]*$/.test(text)) {
    throw new GeneralError('string argument should contain only ASCII characters');
  }
  const { digits, isComplete } = significantDigits(text);
  if (!isComplete) {
    throw new GeneralError(isSecret ? 'Invalid base64' : `Invalid base64: "${text}"`);
  }
  return new Uint8Array(Buffer.from(digits, 'base64'));
}

/** A group may end early, with padding; `=` anywhere else counts for nothing. */
function significantDigits(text: string): { digits: string; isComplete: boolean } {
  let digits = '';
  let padding = 0;
  for (const character of text) {
    const inGroup = digits.length % 4;
    if (character === '=') {
      padding += inGroup >= 2 ? 1 : 0;
      if (inGroup >= 2 && inGroup + padding >= 4) return { digits, isComplete: true };
    } else if (alphabet.includes(character)) {
      digits += character;
      padding = 0;
    }
  }
  return { digits, isComplete: digits.length % 4 === 0 };
}
