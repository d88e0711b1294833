import { readFileSync } from 'node:fs';
import os from 'node:os';

/**
 * How many threads mint at once: as many as PAIRMINT_THREADS says, or as many as the system can run
 * and the container's quota of CPU time allows, which Node.js 20 does not take into account.
 */
export function cpuShare(readText = readSystemFile): number {
  const wanted = Number(process.env.PAIRMINT_THREADS);
  if (Number.isInteger(wanted) && wanted > 0) return wanted;
  const quota = quotaOf(readText);
  const available = os.availableParallelism();
  return quota === undefined ? available : Math.max(1, Math.min(available, Math.ceil(quota)));
}

// Control groups version 2, then version 1 (Linux kernel documentation, cgroup-v2.rst and
// scheduler/sched-bwc.rst): microseconds of CPU time in each period.
function quotaOf(readText: (file: string) => string | undefined): number | undefined {
  const [quota, period] =
    readText('/sys/fs/cgroup/cpu.max')?.trim().split(' ') ??
    ['quota', 'period'].map((name) => readText(`/sys/fs/cgroup/cpu/cpu.cfs_${name}_us`)?.trim());
  const share = Number(quota) / Number(period);
  return share > 0 && Number.isFinite(share) ? share : undefined;
}

function readSystemFile(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
