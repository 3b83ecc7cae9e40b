/** What is told of a request once it is over: in the access log, the metrics and its span. */
import type { Request, Response } from 'express'

/** @returns The route's pattern, never the path, which has ids in it; and the status that the client saw. */
export function answered(req: Request, res: Response): { route: string; status: number } {
  return {
    route: req.route ? `${req.baseUrl}${req.route.path}` : 'unmatched',
    // 499: the client went away before there was an answer.
    status: res.writableFinished || res.headersSent ? res.statusCode : 499,
  }
}
