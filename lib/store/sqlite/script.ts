/**
 * The URL of a thread's or process's program beside a module. Always the compiled file: this module
 * may run from its source, which not every Node.js can load.
 */
export function script(module: string, name: string): URL {
  const compiled = module.replace(/\/lib\/(.*)\.ts$/, '/dist/$1.js');
  return new URL(`./${name}.js`, compiled);
}
