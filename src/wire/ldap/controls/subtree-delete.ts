// Subtree delete: a deletion takes along what is below its entry. draft-armijo-ldap-treedelete-02

import { bareControl } from './codec.ts';

export const subtreeDelete = bareControl('1.2.840.113556.1.4.805');
