/**
 * How a secret of two logins is rotated, as decisions about what is observed: the next step follows from what Secret
 * Manager and PostgreSQL say, whoever did the steps before. After a crash anywhere, observing again goes on from there.
 *
 * The invariant: every enabled version works. So a login's password changes only when no enabled version names it, and a
 * version is added only after its credential was proven. `current` moves last.
 */

/** An enabled version, and whose credential it holds. */
export interface EnabledVersion {
  readonly number: number;
  readonly login: string;
  /** The same for the same password. */
  readonly key: string;
}

/** What an attempt has found out about a credential. */
export type Trust = 'broken' | 'works' | 'proven';

export interface Observed {
  /** In any order. */
  readonly enabled: readonly EnabledVersion[];
  /** The version that was created last, whatever its state; 0 where there is none. */
  readonly latest: number;
  /** What the alias `current` leads to. */
  readonly current: number | undefined;
  /** The rotation that moved `current` there. */
  readonly movedBy: string | undefined;
  readonly logins: readonly [string, string];
  /** Of versions that this attempt has tried. */
  readonly trust: ReadonlyMap<number, Trust>;
  /** The new password that this attempt has set, and how far it got with it. */
  readonly fresh: 'none' | 'set' | 'proven';
}

export type Step =
  /** Whether the credential of a version logs in. */
  | { readonly do: 'try-version'; readonly version: number }
  | { readonly do: 'prove-version'; readonly version: number }
  /** `breaks`: somebody may still use it, so not within the grace period. */
  | { readonly do: 'disable-version'; readonly version: number; readonly breaks: boolean }
  | { readonly do: 'set-password'; readonly login: string; readonly breaks: true }
  | { readonly do: 'prove-login'; readonly login: string }
  | { readonly do: 'add-version'; readonly login: string }
  | { readonly do: 'move-aliases'; readonly version: number }
  /** Add the current credential once more, so that `latest` leads to it. */
  | { readonly do: 'copy-current' }
  | { readonly do: 'nothing' };

/**
 * The next step of a rotation.
 *
 * @param rotation the operation that asks for it: what it did before is its own
 */
export function nextStep(rotation: string, observed: Observed): Step {
  const { movedBy, fresh, enabled, trust } = observed;
  if (movedBy === rotation) return afterMove(observed);
  const published = publishedVersion(observed);
  if (published !== undefined) {
    const version = published.number;
    const found = trust.get(version);
    if (found === undefined) return { do: 'try-version', version };
    // A login has one password: these don't work.
    const other = enabled.find(({ login, key }) => login === published.login && key !== published.key);
    if (other && found !== 'broken') return { do: 'disable-version', version: other.number, breaks: false };
    switch (found) {
      case 'broken':
        // Never its password set: whoever may add versions would choose it. `latest` mustn't lead to what is disabled.
        if (observed.latest === version && hasCurrent(observed)) return { do: 'copy-current' };
        return { do: 'disable-version', version, breaks: false };
      case 'works':
        return { do: 'prove-version', version };
      case 'proven':
        return { do: 'move-aliases', version };
    }
  }
  const login = idleLogin(observed);
  if (fresh === 'proven') return { do: 'add-version', login };
  if (fresh === 'set') return { do: 'prove-login', login };
  const stale = enabled.find((version) => version.login === login);
  if (stale) return { do: 'disable-version', version: stale.number, breaks: true };
  return { do: 'set-password', login, breaks: true };
}

/** What arrived late from an attempt that was given up has another password than the current version, which works. */
function afterMove({ enabled, current, latest }: Observed): Step {
  const active = enabled.find(({ number }) => number === current);
  const late = enabled.find(({ login, key }) => login === active?.login && key !== active.key);
  if (late && late.number !== latest) return { do: 'disable-version', version: late.number, breaks: false };
  if (late) return { do: 'copy-current' };
  return enabled.some(({ number }) => number === latest) ? { do: 'nothing' } : { do: 'copy-current' };
}

/** Added by an attempt that didn't get as far as the aliases; the newest of them. */
export function publishedVersion(observed: Observed): EnabledVersion | undefined {
  const { enabled, current = 0 } = observed;
  const idle = idleLogin(observed);
  return enabled
    .filter(({ number, login }) => number > current && login === idle)
    .reduce<EnabledVersion | undefined>(
      (newest, one) => (newest && newest.number > one.number ? newest : one),
      undefined,
    );
}

function hasCurrent({ enabled, current }: Observed): boolean {
  return enabled.some(({ number }) => number === current);
}

/** The login that applications aren't told to use; where the current version isn't enabled, by the one before it. */
export function idleLogin({
  enabled,
  current,
  logins,
}: Pick<Observed, 'current' | 'logins'> & {
  readonly enabled: readonly Pick<EnabledVersion, 'number' | 'login'>[];
}): string {
  const candidates = enabled.filter(({ number }) => number <= (current ?? 0));
  const active = candidates.toSorted((one, other) => other.number - one.number)[0];
  const [first, second] = logins;
  return active?.login === first ? second : first;
}
