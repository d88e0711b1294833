import type { RequestOrigin } from '../service/origins.ts';

/** Header fields by their names in lower case, with every value that was sent. */
export type HeaderFields = Pick<ReadonlyMap<string, readonly string[]>, 'get' | 'has'>;

/** A request before its body is there. */
export interface RequestHead {
  readonly method: string;
  /** Path and query as they came, encoded. */
  readonly path: string;
  readonly headers: HeaderFields;
  /** Undefined if the request came through no socket. */
  readonly origin?: RequestOrigin | undefined;
}

export interface HttpRequest extends RequestHead {
  readonly body: Uint8Array;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** The target of a request line (RFC 9112, 3.2). */
export interface Target {
  /** Path and query. */
  readonly path: string;
  /** The host and optional port of a target in absolute form; it overrides the Host field. */
  readonly authority: string | undefined;
}

export function readTarget(target: string): Target {
  const [, authority, path = ''] = target.startsWith('/')
    ? []
    : (/^https?:\/\/([^/?]*)(.*)$/i.exec(target) ?? []);
  if (authority === undefined) return { path: target, authority };
  return { path: path.startsWith('/') ? path : `/${path}`, authority };
}

/** Reads names and values in turn, as `IncomingMessage.rawHeaders` has them. */
export function headerFields(raw: readonly string[]): HeaderFields {
  // There are few names: searching a list takes less time than making a map.
  const names: string[] = [];
  const values: string[] = [];
  for (let i = 0; i + 1 < raw.length; i += 2) {
    names.push((raw[i] as string).toLowerCase());
    values.push(raw[i + 1] as string);
  }
  return {
    has: (name) => names.includes(name),
    get(name) {
      const first = names.indexOf(name);
      if (first === -1) return undefined;
      if (names.indexOf(name, first + 1) === -1) return [values[first] as string];
      return values.filter((_, i) => names[i] === name);
    },
  };
}

/**
 * The value of a field that may be sent once. If it was sent twice, the values come out as a list,
 * which is never valid: a proxy in front of us might read the other one.
 */
export function fieldValue(headers: HeaderFields, name: string): string | undefined {
  const values = headers.get(name);
  return values === undefined || values.length === 1 ? values?.[0] : values.join(',');
}
