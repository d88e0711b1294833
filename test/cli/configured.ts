import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

const folder = mkdtempSync(path.join(os.tmpdir(), 'pairmint-config-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
let count = 0;

/** An environment whose configuration file has this text. */
export function configured(text: string): { [name: string]: string } {
  const file = path.join(folder, `${process.pid}-${count++}`);
  writeFileSync(file, text);
  return { AWS_CONFIG_FILE: file, AWS_SHARED_CREDENTIALS_FILE: '/dev/null' };
}
