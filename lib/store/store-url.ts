// To the last @: a password with a slash in it is no URL, and must not be shown either.
const userInfo = /^([a-z][a-z0-9+.-]*:\/\/)(.*)@/is;
const secretParameter = /([?&](?:password|sslpassword)=)[^&#]*/gi;

/** A store's URL as it may be shown: without a password. */
export function withoutPassword(url: string): string {
  return url
    .replace(userInfo, (_whole, scheme: string, user: string) => {
      const [name = ''] = user.split(':');
      return name === '' ? scheme : `${scheme}${name}@`;
    })
    .replace(secretParameter, '$1…');
}

/** Whether a URL names a store of a PostgreSQL server. */
export function isPostgresUrl(url: string): boolean {
  return /^postgres(?:ql)?:/i.test(url);
}
