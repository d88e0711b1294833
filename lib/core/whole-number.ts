/** @throws TypeError unless the value of the option `name` is a whole number from 1 */
export function requireWhole(name: string, value: unknown): void {
  if (Number.isSafeInteger(value) && (value as number) >= 1) return;
  throw new TypeError(`${name} must be a whole number from 1`);
}
