import { execFileSync } from 'node:child_process';

const ip = (...args: string[]) => execFileSync('ip', args, { stdio: 'pipe' });

/** A network namespace that reaches this machine by one link, which a test can cut. */
export class Network {
  readonly name: string;
  /** The address of this machine, as the namespace reaches it. */
  readonly address: string;
  readonly #link: string;

  private constructor(name: string, address: string) {
    this.name = name;
    this.address = address;
    this.#link = `${name}h`;
  }

  /** Makes a namespace; says why in a sentence where that cannot be done. */
  static make(): Network | string {
    // Two runs at a time have networks of their own. Names of links have at most 15 characters.
    const number = Math.floor(Math.random() * 2 ** 14);
    const at = (host: number) => `10.213.${number >> 6}.${4 * (number & 63) + host}`;
    const network = new Network(`pairmint${number}`, at(1));
    const { name, address } = network;
    try {
      ip('netns', 'add', name);
      ip('link', 'add', network.#link, 'type', 'veth', 'peer', 'name', 'far', 'netns', name);
      ip('address', 'add', `${address}/30`, 'dev', network.#link);
      ip('link', 'set', network.#link, 'up');
      ip('-n', name, 'address', 'add', `${at(2)}/30`, 'dev', 'far');
      ip('-n', name, 'link', 'set', 'far', 'up');
      ip('-n', name, 'link', 'set', 'lo', 'up');
      return network;
    } catch (error) {
      network.remove();
      const { message } = error as Error;
      return `A network namespace cannot be made here: ${message.trim().replaceAll('\n', ' ')}.`;
    }
  }

  /** What runs a program in it. */
  get within(): string[] {
    return ['ip', 'netns', 'exec', this.name];
  }

  /** Drops all packets from now on, or lets them pass again. */
  cut(isCut: boolean): void {
    ip('link', 'set', this.#link, isCut ? 'down' : 'up');
  }

  remove(): void {
    try {
      // Its links go with it.
      ip('netns', 'delete', this.name);
    } catch {
      // It was not made.
    }
  }
}
