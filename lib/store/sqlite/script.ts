/**
 * Where the program of a thread or process is that lies beside a module. Always the compiled one: the
 * module's own source may be running, which not every Node.js loads.
 */
export function script(module: string, name: string): URL {
  const compiled = module.replace(/\/lib\/(.*)\.ts$/, '/dist/$1.js');
  return new URL(`./${name}.js`, compiled);
}
