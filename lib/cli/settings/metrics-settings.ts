import type { MetricsAddress } from '../../http/serving.ts';
import { cannotParse, UsageError } from '../errors.ts';

type Given = ReadonlyMap<string, string>;

/** Where metrics are served. @throws ParameterError, UsageError */
export function readMetrics(given: Given): MetricsAddress | undefined {
  const port = readPort('--metrics-port', given);
  const host = given.get('--metrics-host');
  const names = given.get('--metrics-names')?.split(',');
  if (port !== undefined) return { host: host ?? '127.0.0.1', port, names };
  if (host !== undefined) throw new UsageError('--metrics-host needs --metrics-port');
  if (names !== undefined) throw new UsageError('--metrics-names needs --metrics-port');
  return undefined;
}

export function readPort(option: string, given: Given): number | undefined {
  const text = given.get(option);
  if (text === undefined) return undefined;
  if (/^\d{1,5}$/.test(text) && Number(text) < 65_536) return Number(text);
  throw cannotParse(option, `'${text}' is not a port`);
}
