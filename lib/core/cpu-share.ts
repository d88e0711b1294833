import { readFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

type ReadText = (file: string) => string | undefined;

/**
 * How many threads mint at once: as many as PAIRMINT_THREADS says, or as many as the system can run
 * and the container's or service's quota of CPU time allows, which Node.js 20 does not take into
 * account.
 */
export function cpuShare(readText: ReadText = readSystemFile): number {
  const wanted = Number(process.env.PAIRMINT_THREADS);
  if (Number.isInteger(wanted) && wanted > 0) return wanted;
  const quota = quotaOf(readText);
  const available = os.availableParallelism();
  return quota === undefined ? available : Math.max(1, Math.min(available, Math.ceil(quota)));
}

/** A hierarchy of control groups: where it is mounted, and what a group's quota is read from. */
interface Hierarchy {
  readonly mount: string;
  /** The lines of /proc/self/cgroup that are of it. */
  readonly line: RegExp;
  readonly quota: (readText: ReadText, folder: string) => readonly (string | undefined)[];
}

// Linux kernel documentation, cgroup-v2.rst and scheduler/sched-bwc.rst: microseconds of CPU time in
// each period.
const hierarchies: readonly Hierarchy[] = [
  {
    mount: '/sys/fs/cgroup',
    line: /^0::(.*)$/m,
    quota: (readText, folder) => readText(`${folder}/cpu.max`)?.trim().split(' ') ?? [],
  },
  {
    mount: '/sys/fs/cgroup/cpu',
    line: /^\d+:(?:[^:]*,)?cpu(?:,[^:]*)?:(.*)$/m,
    quota: (readText, folder) =>
      ['quota', 'period'].map((name) => readText(`${folder}/cpu.cfs_${name}_us`)?.trim()),
  },
];

/** The smallest quota of this process's own group and of those above it: each of them holds. */
function quotaOf(readText: ReadText): number | undefined {
  const own = readText('/proc/self/cgroup') ?? '';
  const shares = hierarchies.flatMap(({ mount, line, quota }) =>
    foldersOf(mount, line.exec(own)?.[1]).map((folder) => {
      const [limit, period] = quota(readText, folder);
      return Number(limit) / Number(period);
    }),
  );
  const limits = shares.filter((share) => share > 0 && Number.isFinite(share));
  return limits.length === 0 ? undefined : Math.min(...limits);
}

/**
 * The folder of a group and those above it, up to where the hierarchy is mounted. A container may be
 * told the path of its group on the host, whose folders it does not see but the last: then the mount
 * itself is its group.
 */
function foldersOf(mount: string, group = '/'): string[] {
  const folders: string[] = [];
  // A group above a namespace's root is written with dots.
  for (let at = path.posix.join('/', group); at !== '/'; at = path.posix.dirname(at)) {
    folders.push(`${mount}${at}`);
  }
  return [...folders, mount];
}

function readSystemFile(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
