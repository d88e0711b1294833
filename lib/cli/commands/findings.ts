import { statSync } from 'node:fs';
import os from 'node:os';

/** A line of `pairmint doctor`, a piece of advice, or both. */
export interface Finding {
  readonly subject: string;
  readonly text?: string;
  readonly isBroken?: boolean;
  readonly advice?: string;
}

const OLDEST_NODE = 20;

export function checkNode(version: string): Finding {
  const major = Number.parseInt(version, 10);
  return {
    subject: 'Node.js',
    text: version,
    ...(major < OLDEST_NODE && { isBroken: true, advice: `use Node.js ${OLDEST_NODE} or later` }),
  };
}

/** The key opens everything in the store, so what others may do with its file matters most. */
export function checkRootKeyFile(file: string, storeFolder: string): Finding[] {
  const stat = statSync(file, { throwIfNoEntry: false });
  if (stat === undefined) {
    return [{ subject: 'root key', text: `there is no file ${file}`, isBroken: true }];
  }
  const mode = modeOf(stat.mode);
  const isPrivate = (stat.mode & 0o077) === 0;
  return [
    {
      subject: 'root key',
      text: `${file}, mode ${mode}`,
      ...(!isPrivate && {
        isBroken: true,
        advice: `others can read the root key: chmod 600 ${file}`,
      }),
    },
    ...separationAdvice(file, storeFolder),
  ];
}

export function checkStoreFolder(folder: string): Finding[] {
  const stat = statSync(folder, { throwIfNoEntry: false });
  if (stat === undefined) {
    return [];
  }
  const isPrivate = (stat.mode & 0o077) === 0;
  const advice = `others can look into the store: chmod 700 ${folder}`;
  return [
    { subject: 'permissions', text: `store folder has mode ${modeOf(stat.mode)}` },
    ...(isPrivate ? [] : [{ subject: 'permissions', advice }]),
  ];
}

/** What the process itself could be given. */
export function findAdvice({ lockedMemory }: { lockedMemory: boolean }): Finding[] {
  const cores = os.availableParallelism();
  const threads = Number(process.env.UV_THREADPOOL_SIZE ?? 4);
  const advice: string[] = [];
  if (threads < cores) {
    advice.push(`batches can use all ${cores} cores with UV_THREADPOOL_SIZE=${cores}`);
  }
  if (!lockedMemory) {
    advice.push('let the process lock memory: ulimit -l unlimited, or LimitMEMLOCK in systemd');
  }
  return advice.map((sentence) => ({ subject: 'process', advice: sentence }));
}

function separationAdvice(file: string, storeFolder: string): Finding[] {
  const isApart = statSync(file).dev !== statSync(storeFolder).dev;
  const advice =
    'store and root key are on one file system: whoever copies it whole has both; keep backups ' +
    'of the root key elsewhere';
  return isApart ? [] : [{ subject: 'root key', advice }];
}

function modeOf(mode: number): string {
  return (mode & 0o777).toString(8).padStart(4, '0');
}
