// Signatures of requests are refused at five minutes, and logs of several machines are hard to read long before.
const bound = 5000;

/** A sentence if this machine's clock is too far from the store's. @param ahead milliseconds */
export function clockIsOff(ahead: number): string | undefined {
  if (Math.abs(ahead) <= bound) return undefined;
  const seconds = Math.round(Math.abs(ahead) / 1000);
  return `this machine's clock is ${seconds} s ${ahead < 0 ? 'behind' : 'ahead of'} the database's`;
}
