import { statSync } from 'node:fs';
import type { Service } from '../context.ts';

/** A line of `pairmint doctor`, a piece of advice, or both. */
export interface Finding {
  readonly subject: string;
  readonly text?: string;
  readonly isBroken?: boolean;
  readonly advice?: string;
}

const oldestNode = 20;
const dayInMilliseconds = 86_400_000;

export function checkNode(version: string): Finding {
  const major = Number.parseInt(version, 10);
  return {
    subject: 'Node.js',
    text: version,
    ...(major < oldestNode && { isBroken: true, advice: `use Node.js ${oldestNode} or later` }),
  };
}

/** The key opens everything in the store, so what others may do with its file matters most. */
export function checkRootKeyFile(file: string, storeFile?: string): Finding[] {
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
    ...(storeFile === undefined ? [] : separationAdvice(file, storeFile)),
  ];
}

export function checkStoreFile(file: string): Finding[] {
  const stat = statSync(file, { throwIfNoEntry: false });
  if (stat === undefined) return [];
  const isPrivate = (stat.mode & 0o077) === 0;
  const advice = `others can look into the store: chmod 600 ${file}`;
  return [
    { subject: 'permissions', text: `store file has mode ${modeOf(stat.mode)}` },
    ...(isPrivate ? [] : [{ subject: 'permissions', advice }]),
  ];
}

export function checkFence({ needsFence, doubt }: Pick<Service['store'], 'needsFence' | 'doubt'>) {
  const why = doubt === undefined ? '' : ` (${doubt})`;
  const advice = `the store was copied or put back${why}, so its pools are not used: run 'pairmint store fence'`;
  return needsFence ? [{ subject: 'store', advice }] : [];
}

/** How old the last backup is; after a week it is time for another. */
export function describeBackup(date: Date | undefined, now: number): Finding {
  const subject = 'last backup';
  const advice = "keep a copy of the store: 'pairmint store backup FILE', and one of its root key";
  if (date === undefined) return { subject, text: 'none', advice };
  const days = Math.floor((now - date.getTime()) / dayInMilliseconds);
  const age = days < 1 ? 'less than a day' : `${days} day${days === 1 ? '' : 's'}`;
  return { subject, text: `${age} ago`, ...(days >= 7 && { advice }) };
}

/** Describes what mints here, and advises how it could be faster or safer. */
export function describeMinting(capabilities: ReturnType<Service['capabilities']>): Finding[] {
  const { cpu, openssl, threads, lockedMemory, curveKernels, curvesSwitchedOff } = capabilities;
  return [
    ...describeKernel(capabilities),
    {
      subject: 'curves',
      text: describeCurves(curveKernels),
    },
    ...(curvesSwitchedOff === ''
      ? []
      : [{ subject: 'curves', text: `switched off: ${curvesSwitchedOff}`, isBroken: true }]),
    { subject: 'CPU', text: `${cpu}, ${threads} minting at once` },
    { subject: 'OpenSSL', text: openssl },
    lockedMemory
      ? { subject: 'locked memory', text: 'secrets are never swapped out' }
      : {
          subject: 'locked memory',
          text: 'the system refuses to lock secrets',
          advice: 'let the process lock memory: ulimit -l unlimited, or LimitMEMLOCK in systemd',
        },
  ];
}

/** The curves of each kernel; those that are not named are left to OpenSSL. */
function describeCurves(curveKernels: Readonly<Record<string, string>>): string {
  const named = Object.entries(curveKernels).filter(([, kernel]) => kernel !== 'openssl');
  const kernels = [...new Set(named.map(([, kernel]) => kernel))];
  const texts = kernels.map((each) => {
    const names = named.filter(([, kernel]) => kernel === each).map(([name]) => name);
    return `${names.join(', ')}: ${each}`;
  });
  return texts.length === 0 ? 'openssl' : `${texts.join('; ')}; others: openssl`;
}

function describeKernel({
  kernel,
  kernels,
  kernelSwitchedOff,
}: ReturnType<Service['capabilities']>): Finding[] {
  const fastest = kernels[0];
  return [
    { subject: 'RSA kernel', text: kernel },
    ...(kernelSwitchedOff === ''
      ? []
      : [{ subject: 'RSA kernel', text: `switched off: ${kernelSwitchedOff}`, isBroken: true }]),
    ...(fastest !== 'avx512ifma'
      ? [
          {
            subject: 'RSA kernel',
            advice: 'a processor with AVX-512 IFMA mints RSA pairs several times as fast',
          },
        ]
      : []),
  ];
}

function separationAdvice(file: string, storeFile: string): Finding[] {
  const isApart = statSync(file).dev !== statSync(storeFile).dev;
  const advice =
    'store and root key are on one file system: a copy of it has both; keep backups ' +
    'of the root key elsewhere';
  return isApart ? [] : [{ subject: 'root key', advice }];
}

function modeOf(mode: number): string {
  return (mode & 0o777).toString(8).padStart(4, '0');
}
