// The attributes that hold the addresses of a user or a list; of several the first one is the address that others see.

export const ADDRESS_ATTRIBUTES = ['mail', 'mailAlternateAddress', 'mailEquivalentAddress'] as const;

/** The same, as Attributes has them. */
export const ADDRESS_KEYS = ['mail', 'mailalternateaddress', 'mailequivalentaddress'] as const;
