import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { onTestFinished, type TestContext } from 'vitest';

/** Makes an empty folder that is removed when the test is over. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'pairmint-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Mounts a disk of `size`, as `3m`; only root may, so elsewhere the test is skipped, but never in CI's root. */
export function smallDisk(context: TestContext, size: string): string {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return context.skip();
  const folder = `${temporaryFolder()}/disk`;
  mkdirSync(folder);
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'none', folder], { stdio: 'pipe' });
  } catch (error) {
    // Root of a container without the right to mount.
    if (process.env.CI === 'true') throw error;
    return context.skip();
  }
  onTestFinished(() => {
    execFileSync('umount', ['-l', folder]);
  });
  return folder;
}
