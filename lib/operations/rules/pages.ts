import { KmsError } from '../../model/errors.ts';

/** A page that a list operation asks of its source: at most `limit` entries after `after`. */
export interface PageRequest {
  readonly after: string | undefined;
  readonly limit: number;
}

export interface Page<T> {
  readonly items: T[];
  readonly Truncated: boolean;
  readonly NextMarker?: string;
}

/**
 * Serves one page of a list. `source` returns the entries in order, `nameOf` the name that the next
 * page resumes after. Limits above `largest`, the operation's maximum in the reference, are capped.
 */
export async function page<T>(
  { Limit, Marker }: { Limit?: number | undefined; Marker?: string | undefined },
  { usual, largest }: { usual: number; largest: number },
  source: (request: PageRequest) => Promise<T[]>,
  nameOf: (item: T) => string,
): Promise<Page<T>> {
  const limit = Math.min(Limit ?? usual, largest);
  const after = Marker === undefined ? undefined : readMarker(Marker);
  const items = await source({ after, limit: limit + 1 });
  const last = items[limit - 1];
  if (items.length <= limit || last === undefined) return { items, Truncated: false };
  return { items: items.slice(0, limit), Truncated: true, NextMarker: markerAfter(nameOf(last)) };
}

const prefix = 'pairmint/1/';

function markerAfter(name: string): string {
  return Buffer.from(prefix + name, 'utf8').toString('base64url');
}

function readMarker(marker: string): string {
  const text = Buffer.from(marker, 'base64url').toString('utf8');
  if (text.startsWith(prefix) && markerAfter(text.slice(prefix.length)) === marker) {
    return text.slice(prefix.length);
  }
  throw new KmsError('InvalidMarkerException', 'The marker is not one of this operation.');
}
