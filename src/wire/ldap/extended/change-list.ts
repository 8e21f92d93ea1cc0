// Change list, our own: changes of the directory as LDIF records (RFC 2849), all of them in one commit or none.
//
// The request's value is the text, the response's the JSON that `directory.change` answers.

export const CHANGE_LIST = '2.25.260029475078379629835353372611245454843.3.1';
