import { readFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

type ReadText = (file: string) => string | undefined;

/**
 * How many threads mint at once: PAIRMINT_THREADS if it is set, otherwise as many as the system can
 * run and the container's or service's quota of CPU time allows. Node.js 20 ignores that quota.
 */
export function cpuShare(readText: ReadText = readSystemFile): number {
  const wanted = Number(process.env.PAIRMINT_THREADS);
  if (Number.isInteger(wanted) && wanted > 0) return wanted;
  const quota = quotaOf(readText);
  const available = os.availableParallelism();
  return quota === undefined ? available : Math.max(1, Math.min(available, Math.ceil(quota)));
}

/**
 * A hierarchy of control groups: its mount point, and the files that a group's quota is read from.
 */
interface Hierarchy {
  readonly mount: string;
  /** Matches the hierarchy's lines in /proc/self/cgroup. */
  readonly line: RegExp;
  readonly quota: (readText: ReadText, folder: string) => readonly (string | undefined)[];
}

// Linux kernel documentation, cgroup-v2.rst and scheduler/sched-bwc.rst: microseconds of CPU time
// in each period.
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

/** The smallest quota of this process's group and the groups above it: all of them apply. */
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
 * The folders of a group and the groups above it, up to the mount point. A container may be told
 * its group's path on the host but see only the last folder: then the mount point itself is its
 * group.
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
