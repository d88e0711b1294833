/** @throws TypeError if a value, of an option called `name`, counts nothing that is there */
export function requireWhole(name: string, value: unknown): void {
  if (Number.isSafeInteger(value) && (value as number) >= 1) return;
  throw new TypeError(`${name} must be a whole number from 1`);
}
