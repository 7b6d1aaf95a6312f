/** The tasks of the pipeline `compose`. @module */
export { mergeReviewTask } from "./merge_review.ts";
