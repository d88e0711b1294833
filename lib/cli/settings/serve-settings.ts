import { readFileSync } from 'node:fs';
import { cpuShare } from '../../core/cpu-share.ts';
import { networkOf } from '../../core/ip-address.ts';
import {
  type Limits,
  type LogLevel,
  logLevels,
  type ServingSettings,
  type TlsFiles,
} from '../../http/serving.ts';
import { type QuotaProfile, quotaProfiles } from '../../service/request-quotas.ts';
import { cannotParse, UsageError } from '../errors.ts';
import { readMetrics, readPort } from './metrics-settings.ts';

type Given = ReadonlyMap<string, string>;

/** The options of `pairmint serve`, read and checked. */
export interface Settings extends ServingSettings {
  readonly quotaProfile: QuotaProfile | undefined;
  readonly logLevel: LogLevel;
}

const mostWorkers = 256;

/** @throws ParameterError, UsageError */
export function readSettings(given: Given): Settings {
  const settings = {
    auth: !given.has('--no-auth'),
    host: given.get('--host'),
    port: readPort('--port', given),
    region: given.get('--region'),
    quotaProfile: readQuotaProfile(given.get('--quota-profile')),
    trustedProxies: readProxies(given.get('--trusted-proxy')),
    workers: readWorkers(given.get('--workers') ?? '1'),
    metrics: readMetrics(given),
    limits: {
      ...readLimit('connections', '--max-connections', given),
      ...readLimit('bodyBytes', '--max-body-bytes', given),
    },
    logLevel: readLogLevel(given.get('--log-level') ?? 'info'),
    readTls: tlsReader(given.get('--tls-cert'), given.get('--tls-key')),
  };
  if (settings.quotaProfile !== undefined && settings.workers > 1) {
    throw new UsageError('--quota-profile counts in one process: leave out --workers');
  }
  // Files that are not there are complained of before anything is made.
  settings.readTls?.();
  return settings;
}

function readProxies(text: string | undefined): readonly string[] {
  const proxies = text?.split(',') ?? [];
  const other = proxies.find((proxy) => networkOf(proxy) === undefined);
  if (other === undefined) return proxies;
  throw cannotParse('--trusted-proxy', `'${other}' is not an IP address or network`);
}

function readWorkers(text: string): number {
  if (text === 'auto') return cpuShare();
  if (/^[1-9]\d{0,2}$/.test(text) && Number(text) <= mostWorkers) return Number(text);
  throw cannotParse('--workers', `'${text}' is neither auto nor a number from 1 to ${mostWorkers}`);
}

function readQuotaProfile(text: string | undefined): QuotaProfile | undefined {
  const profile = quotaProfiles.find((name) => name === text);
  if (profile !== undefined || text === undefined) return profile;
  throw cannotParse('--quota-profile', `'${text}' is not one of ${quotaProfiles.join(', ')}`);
}

function readLimit(name: keyof Limits, option: string, given: Given): Partial<Limits> {
  const text = given.get(option);
  if (text === undefined) return {};
  if (/^[1-9]\d{0,14}$/.test(text)) return { [name]: Number(text) };
  throw cannotParse(option, `'${text}' is not a number from 1`);
}

function readLogLevel(text: string): LogLevel {
  const level = logLevels.find((name) => name === text);
  if (level !== undefined) return level;
  throw cannotParse('--log-level', `'${text}' is not one of ${logLevels.join(', ')}`);
}

function tlsReader(cert: string | undefined, key: string | undefined) {
  if (cert === undefined && key === undefined) return undefined;
  if (cert === undefined || key === undefined) {
    throw new UsageError('--tls-cert and --tls-key go together');
  }
  return (): TlsFiles => ({ cert: read('--tls-cert', cert), key: read('--tls-key', key) });
}

function read(option: string, file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw cannotParse(option, (error as Error).message);
  }
}
