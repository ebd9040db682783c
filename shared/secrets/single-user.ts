/**
 * How a secret of one login is rotated. A role has one password, so between the change and its publication there is a
 * moment in which what is published doesn't work. The new password is written into a pending secret first: whoever comes
 * after a crash finds it there, and closes the moment.
 */

export interface Observed {
  /** Numbers of the enabled versions. */
  readonly enabled: readonly number[];
  /** What the alias `current` leads to. */
  readonly current: number | undefined;
  /** The rotation that moved `current` there. */
  readonly movedBy: string | undefined;
  /** The pending secret: the next password, and what this attempt has found out about it. */
  readonly pending: { readonly trust: 'unknown' | 'broken' | 'works' | 'proven' } | undefined;
  /** The newest enabled version that holds the pending password. */
  readonly published: number | undefined;
}

export type Step =
  | { readonly do: 'write-pending' }
  /** Whether the pending password logs in already. */
  | { readonly do: 'try-pending' }
  | { readonly do: 'set-password' }
  | { readonly do: 'prove' }
  | { readonly do: 'add-version' }
  | { readonly do: 'move-aliases'; readonly version: number }
  | { readonly do: 'disable-version'; readonly version: number }
  | { readonly do: 'discard-pending' }
  | { readonly do: 'nothing' };

/**
 * The next step of a rotation.
 *
 * @param rotation the operation that asks for it: what it did before is its own
 */
export function nextStep(rotation: string, observed: Observed): Step {
  const { enabled, current, movedBy, pending, published } = observed;
  if (movedBy === rotation) {
    // What holds the former password doesn't work any more.
    const stale = enabled.find((version) => version !== current);
    if (stale !== undefined) return { do: 'disable-version', version: stale };
    return pending ? { do: 'discard-pending' } : { do: 'nothing' };
  }
  // Left behind by a rotation that was given up after it had published it: this one has to make another.
  if (pending && published !== undefined && published === current) return { do: 'discard-pending' };
  if (pending === undefined) return { do: 'write-pending' };
  switch (pending.trust) {
    case 'unknown':
      return { do: 'try-pending' };
    case 'broken':
      return { do: 'set-password' };
    case 'works':
      return { do: 'prove' };
    case 'proven':
      return published === undefined ? { do: 'add-version' } : { do: 'move-aliases', version: published };
  }
}
