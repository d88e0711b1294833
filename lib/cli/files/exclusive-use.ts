import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { GeneralError } from '../errors.ts';

const separator = '.lock-';

/**
 * Claims a file for this process until the returned function is called, or the process ends. Each
 * process puts its claim beside the file before it looks for those of others, so that of two at the
 * same moment never both succeed. A claim of a process that was killed is void.
 *
 * @throws GeneralError if another process has claimed it
 */
export function claimFile(file: string): () => void {
  const folder = path.dirname(file);
  const prefix = path.basename(file) + separator;
  const own = prefix + nameOf(process.pid);
  const remove = (name: string) => rmSync(path.join(folder, name), { force: true });
  writeFileSync(path.join(folder, own), '', { mode: 0o600 });
  const others = readdirSync(folder).filter((name) => name.startsWith(prefix) && name !== own);
  for (const other of others) {
    const pid = Number.parseInt(other.slice(prefix.length), 10);
    if (isAlive(pid) && prefix + nameOf(pid) === other) {
      remove(own);
      throw new GeneralError(`pairmint: process ${pid} is writing to ${file}`);
    }
    remove(other);
  }
  return () => remove(own);
}

// The number of a process that has ended is given to another one sooner or later; when it began
// tells them apart.
function nameOf(pid: number): string {
  try {
    // proc(5): field 22, counted behind the name in parentheses, which may have spaces.
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return `${pid}-${stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]}`;
  } catch {
    return `${pid}-0`;
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
