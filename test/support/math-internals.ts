/** A kernel's row in the report. */
export interface KernelRow {
  name: string;
  capable: boolean;
  preferred: boolean;
}

export interface KernelReport {
  kernels: KernelRow[];
  chosen: string;
  requested: string;
  requestRefused: boolean;
  switchedOff: string;
  audits: number;
}

export interface RsaKey {
  n: bigint;
  e: bigint;
  d: bigint;
  p: bigint;
  q: bigint;
  dp: bigint;
  dq: bigint;
  qinv: bigint;
  publicKey: Buffer;
  privateKey: Buffer;
  cpuMs: number;
}

export interface SearchOptions {
  auditPeriod?: number;
}

export type Fault =
  | 'none'
  | 'wrong limb'
  | 'wrong lane'
  | 'always true'
  | 'always false'
  | 'loses primes';

/** In the lanes of any curve. */
type CommonFault =
  | 'none'
  | 'nothing'
  | 'limb'
  | 'lane'
  | 'carry'
  | 'table entry'
  | 'window'
  | 'inversion'
  | 'negation'
  | 'opposite errors';

export type EdwardsFault = CommonFault | 'point of small order' | 'check';

export interface CurvePair {
  spki: Buffer;
  pkcs8: Buffer;
}

/** r and r * G. */
export interface CurveMask {
  r: bigint;
  point: Buffer;
}

export type MaskFault = 'wrong point' | 'off the curve' | 'wrong number';

export type LanesFault = CommonFault | 'sum of check' | 'offset of check';

export type CombFault = 'none' | 'nothing' | 'wrong entry' | 'wrong limb' | 'wrong lane';

/** What test/native/internals_ec.cc, internals_lanes.cc, internals_masks.cc, internals_mont.cc and internals_rsa.cc export. */
export interface MathInternals {
  field(
    limbs: number,
    p: bigint,
    a: bigint,
    b: bigint,
  ): { sum: bigint; difference: bigint; product: bigint; inverse: bigint };
  multiplyByComb(curve: string, keys: bigint[]): Uint8Array | undefined;
  verifyPoints(curve: string, keys: bigint[], points: Buffer): boolean;
  mintSeveral(curve: string, count: number): CurvePair[];
  /** One by one; `aborted` abandons the request before it begins. */
  mintAlone(curve: string, count: number, aborted?: boolean): CurvePair[];
  /** With an empty stock; false finds out whether they are worth it, as at the start. */
  useMasks(curve: string, use: boolean): void;
  masksInStock(curve: string): CurveMask[];
  maskedKey(curve: string, key: bigint, r: bigint): bigint;
  verifyByMask(curve: string, key: bigint, r: bigint, R: Buffer, point: Buffer): boolean;
  /** All that are in stock. */
  spoilMasks(curve: string, fault: MaskFault): void;
  /** `count` by each thread, all threads at once. */
  takeMasks(curve: string, threads: number, count: number): CurveMask[];
  /** What the threads take, all at once, out of a stock of the numbers below `count`. */
  drainMasks(curve: string, threads: number, count: number): number[];
  /** How many masks a forked process finds in stock; not on Windows. */
  masksAfterFork(curve: string): number;
  /** 'nothing' has the comb work without a look at whether it is worth it; 'none' as at the start. */
  plantCombFault(curve: string, fault: CombFault, compared?: boolean): void;
  /** False where this build has no lanes. */
  plantLanesFault(curve: string, fault: LanesFault, compared?: boolean): boolean;
  checkPoints(curve: string, keys: bigint[], points: Buffer): boolean;
  checkAlone(curve: string, key: bigint, m: bigint, M: Buffer, point: Buffer): boolean;
  /** Has lanes mint from the next pair on, but for 'none', which is as at the start. */
  plantEdwardsFault(fault: EdwardsFault, compared?: boolean): boolean;
  /** Encoded points, by the table of windows of so many bits; undefined where OpenSSL multiplies. */
  multiplyEdwards(bits: 4 | 5, isSplit: boolean, scalars: bigint[]): Buffer | undefined;
  checkEdwards(seeds: Buffer, keys: Buffer): boolean;
  /** What OpenSSL says. */
  compareEdwards(scalar: bigint, key: Buffer): boolean;
  /** The public keys of at most 16 seeds; undefined where OpenSSL computes them. */
  ed25519ByLanes(seeds: Buffer): Buffer | undefined;
  /** Together, or one alone. */
  mintEd25519(count: number): CurvePair[];
  inverse(limbs: number, p: bigint, a: bigint): bigint;
  isAuditDue(curve: string, interval: number): boolean;
  combSwitchedOff(): string;
  /** Goes too far, and must end the process. */
  overrun(what: 'index' | 'copy' | 'frame' | 'chunk' | 'pages' | 'before'): number;
  secretPages(): { mapped: number; kept: number };
  areSecretsZero(count: number, size: number): boolean;
  fermat(kernel: string, bits: number, numbers: bigint[]): boolean[];
  modExp(
    kernel: string,
    bits: number,
    moduli: bigint[],
    bases: bigint[],
    exponents: bigint[],
    exponentBits: number,
  ): bigint[];
  plantFault(fault: Fault, compared?: boolean): void;
  chooseKernel(name?: string): void;
  kernelReport(): KernelReport;
  kernelFor(bits: number): string;
  generateRsa(bits: number): RsaKey;
  searchRsa(
    bits: number,
    next: (() => Buffer | undefined) | undefined,
    options: SearchOptions,
  ): RsaKey;
  /** The key of a candidate stream by the rules of c2sp.org/det-keygen. */
  detKeygen(bits: number, next: () => Buffer): Omit<RsaKey, 'cpuMs'>;
  searchRsaInThreads(
    bits: number,
    threads: number,
    abortAfterMs?: number,
  ): { keys: RsaKey[]; statuses: number[]; cpuMs: number; wallMs: number; stoppedMs: number };
  survives(bits: number, numbers: bigint[], options: { lanes: boolean }): boolean[];
  millerRabin(w: bigint, rounds: number): boolean;
  millerRabinRound(w: bigint, b: bigint): boolean;
  millerRabinInLanes(bits: number, numbers: bigint[], rounds: number): boolean[];
  acceptable(
    bits: number,
    e: bigint,
    p: bigint,
    q: bigint,
  ): { inRange: boolean; coprime: boolean; farApart: boolean };
  assembleRsa(bits: number, p: bigint, q: bigint): RsaKey | 'refused q' | 'refused both';
  pairwiseTest(key: RsaKey): void;
  checkNumbers(key: RsaKey): void;
}
