import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { internals, internalsFile } from '../support/internals.ts';
import { pairmint } from '../support/pairmint-process.ts';

const { kernels, kernelNames } = internals.capabilities();

/** The kernels of a process with this environment, and the one that it uses. */
function kernelsWith(env: Record<string, string>): {
  kernels: string[];
  kernel: string;
  curveKernels: Record<string, string>;
} {
  const program = 'process.stdout.write(JSON.stringify(require(process.argv[1]).capabilities()))';
  const { stdout } = spawnSync(process.execPath, ['-e', program, internalsFile], {
    encoding: 'utf8',
    env: { ...process.env, ...env },
  });
  return JSON.parse(stdout);
}

// OPENSSL_ia32cap(3): bits of CPUID's leaf 1 (edx, ecx) and, behind the colon, 7 (ebx, ecx).
describe.runIf(kernels.includes('avx512ifma'))('OPENSSL_ia32cap', () => {
  it.each([
    ['AVX-512 IFMA is masked', ':~0x200000', ['avx2', 'openssl']],
    ['AVX-512 F is masked', ':~0x10000', ['avx2', 'openssl']],
    ['AVX2 is masked, too', ':~0x200020', ['openssl']],
    ['AVX2 alone is masked', ':~0x20', ['avx512ifma', 'openssl']],
    ['AVX is masked', '~0x1000000000000000:~0', ['openssl']],
    ['a value has none of it', ':0', ['openssl']],
    ['there is one vector alone, so that the other is empty', '~0', ['openssl']],
  ])('leaves the best kernel that may run where %s', (_, value, left) => {
    const found = kernelsWith({ OPENSSL_ia32cap: value });
    expect(found.kernels).toEqual(left);
    expect(found.kernel).toBe(left[0]);
  });

  it('leaves it on if other instructions are masked', () => {
    for (const value of [':~0x100', '~0x200000200000000:~0x100', ':~0']) {
      expect(kernelsWith({ OPENSSL_ia32cap: value }).kernels).toEqual(kernels);
    }
  });
});

describe('PAIRMINT_KERNEL', () => {
  it.each(['nonsense', 'AVX512IFMA'])('is refused if it names no kernel: %s', async (name) => {
    const env = { PAIRMINT_KERNEL: name };
    const { code, stdout, stderr } = await pairmint(env, 'list-keys', '--store', 'memory:').ended;
    expect({ code, stdout }).toEqual({ code: 253, stdout: '' });
    expect(stderr).toContain(`PAIRMINT_KERNEL is '${name}', which is no kernel that can run here`);
    expect(stderr).toContain(`set it to one of ${kernelNames.join(', ')}, or leave it out`);
  });

  it('is refused if it names a kernel that the processor cannot run', async () => {
    const env = { PAIRMINT_KERNEL: 'avx512ifma', OPENSSL_ia32cap: ':0' };
    const { code, stderr } = await pairmint(env, 'list-keys', '--store', 'memory:').ended;
    expect(code).toBe(253);
    expect(stderr).toContain('set it to one of portable, openssl, or leave it out');
  });

  it('chooses the kernel that it names', async () => {
    for (const name of kernels) {
      const found = await pairmint({ PAIRMINT_KERNEL: name }, 'doctor', '--store', 'memory:').ended;
      expect(found.stdout).toMatch(new RegExp(`RSA kernel +${name}`));
    }
  });

  it('does without vectors, and lets our portable code compute on curves, if it is `portable`', () => {
    const { kernel, curveKernels } = kernelsWith({ PAIRMINT_KERNEL: 'portable' });
    expect({ kernel, curve: curveKernels['P-384'] }).toEqual({
      kernel: 'openssl',
      curve: 'portable',
    });
    expect(kernelNames).toEqual([...kernels.slice(0, -1), 'portable', 'openssl']);
  });

  it('leaves the curves to OpenSSL, too, if it names OpenSSL', async () => {
    const left = await pairmint({ PAIRMINT_KERNEL: 'openssl' }, 'doctor', '--store', 'memory:')
      .ended;
    expect(left.stdout).toMatch(/curves +openssl\n/);
    const ours = await pairmint({}, 'doctor', '--store', 'memory:').ended;
    expect(ours.stdout).toMatch(
      kernels.includes('avx512ifma')
        ? /curves +P-384, P-521, secp256k1, SM2, Ed25519: avx512ifma; others:\s+openssl/
        : /curves +P-384, P-521, secp256k1, SM2: portable; others:\s+openssl/,
    );
  });

  it.runIf(kernels.includes('avx512ifma'))('has lanes compute P-256, too, if it names them', () => {
    const { curveKernels } = kernelsWith({ PAIRMINT_KERNEL: 'avx512ifma' });
    expect(curveKernels['P-256']).toBe('avx512ifma');
  });

  it('has curves computed by the portable comb where the instructions of the lanes are off', () => {
    const masked = kernelsWith({ OPENSSL_ia32cap: ':0' }).curveKernels;
    expect(masked).toEqual({
      'P-256': 'openssl',
      'P-384': 'portable',
      'P-521': 'portable',
      secp256k1: 'portable',
      SM2: 'portable',
      Ed25519: 'openssl',
    });
  });
});
