import { isIPv4 } from 'node:net';

/** Whether a host's name or address is a loopback one, which other machines cannot reach. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.'));
}

/** The host that a Host field names, without port and brackets. */
export function hostName(field: string): string {
  const [, bracketed, plain = ''] = /^(?:\[([^\]]*)\]|([^:]*))(?::\d*)?$/.exec(field) ?? [];
  return (bracketed ?? plain).toLowerCase();
}
