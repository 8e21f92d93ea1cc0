// Ask the source, our own: another server of the directory has this one ask a source, whose secrets it need not have.
//
// The request's value is a question in JSON, the response's its answer (directory/source/handed-question.ts).

export const ASK_SOURCE = '2.25.260029475078379629835353372611245454843.3.2';
