import { GeneralError } from '../errors.ts';
import { decodeBase64 } from '../python/base64.ts';
import { JsonError, parseJson } from '../python/json.ts';
import { asciiJson } from '../python/json-text.ts';
import { Dictionary, toRequest } from '../python/value.ts';

/** The start that --starting-token gives: members of the request, and the item to begin behind. */
export interface Start {
  readonly members: object;
  readonly skipped: number;
}

const skippedKey = 'boto_truncate_amount';

/** A token as botocore makes it, so that the AWS CLI goes on with ours and we go on with its. */
export function formatToken(marker: string | undefined, skipped?: number): string {
  const rest = skipped === undefined ? '' : `, "${skippedKey}": ${skipped}`;
  const json = `{"Marker": ${asciiJson(marker ?? null)}${rest}}`;
  return Buffer.from(json).toString('base64');
}

/** A text that is not such a token is the service's own marker. */
export function parseToken(token: string): Start {
  const decoded = decodeToken(token);
  if (decoded === undefined) return parseOldToken(token);
  const skipped = decoded.get(skippedKey) ?? 0n;
  decoded.delete(skippedKey);
  if (typeof skipped !== 'bigint') throw new GeneralError(`Bad starting token: ${token}`);
  const members = new Dictionary([...decoded].filter(([, value]) => value !== null));
  return { members: toRequest(members) as object, skipped: Number(skipped) };
}

function decodeToken(token: string): Dictionary | undefined {
  try {
    const bytes = decodeBase64(token);
    const value = parseJson(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    return value instanceof Dictionary ? value : undefined;
  } catch (error) {
    const isOther =
      error instanceof GeneralError || error instanceof JsonError || error instanceof TypeError;
    if (isOther) return undefined;
    throw error;
  }
}

/** The AWS CLI's form before 2016: a marker, and behind three underscores how many to skip. */
function parseOldToken(token: string): Start {
  const parts = token.split('___');
  if (parts.length > 2) throw new GeneralError(`Bad starting token: ${token}`);
  const [marker = '', skipped] = parts;
  if (skipped !== undefined && !/^\s*[-+]?\d+\s*$/.test(skipped)) {
    return { members: { Marker: token }, skipped: 0 };
  }
  return { members: marker === 'None' ? {} : { Marker: marker }, skipped: Number(skipped ?? 0) };
}
