import { clockIsOff } from '../clock-bound.ts';
import type { StoreFact } from '../key-store.ts';
import type { Row } from './driver.ts';

/** The question whose answer `describeServer` takes. */
export function factsOf(schema: string): string {
  return (
    "select current_setting('server_version') as version, " +
    "current_setting('synchronous_commit') as commit, " +
    "current_setting('synchronous_standby_names') as standbys, current_database() as database, " +
    'coalesce((select ssl from pg_stat_ssl where pid = pg_backend_pid()), false) as is_encrypted, ' +
    `(select version from ${schema}.meta) as schema_version, ` +
    `pg_total_relation_size('${schema}.record') + pg_total_relation_size('${schema}.lot') + ` +
    `pg_total_relation_size('${schema}.chunk_result') as bytes`
  );
}

/**
 * What a store's server is, for `pairmint doctor`: others is how many processes have it open, ahead how many
 * milliseconds this machine's clock is before the server's.
 */
export function describeServer(
  row: Row,
  { others, ahead }: { others: number; ahead: number },
): StoreFact[] {
  const connection = row.is_encrypted === true ? 'with TLS' : 'without TLS';
  const megabytes = Math.ceil(Number(row.bytes) / 1e6);
  const mayLose = row.commit === 'local' && row.standbys !== '';
  const advice =
    'synchronous_commit is local: a failover may bring pairs back that were answered; set it to on';
  return [
    { subject: 'server', text: `PostgreSQL ${row.version}, ${connection}` },
    {
      subject: 'durability',
      text: `fsync on, synchronous_commit ${row.commit}`,
      ...(mayLose && { advice }),
    },
    { subject: 'tables', text: `version ${row.schema_version}, ${megabytes} MB` },
    describeClock(ahead),
    { subject: 'processes', text: `${others} others have the store open` },
  ];
}

function describeClock(ahead: number): StoreFact {
  const text = `${Math.abs(ahead)} ms ${ahead < 0 ? 'behind' : 'ahead of'} the server's`;
  const advice = `${clockIsOff(ahead)}: set it by NTP`;
  return { subject: 'clock', text, ...(clockIsOff(ahead) !== undefined && { advice }) };
}
