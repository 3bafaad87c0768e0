"""Any OpenAPI document is drafted into a profile that can be looked over, or is refused with a sentence."""

from tocsin.evidence.registry.drafting import DocumentUnreadable, draft

LEAST = 100
SEEDS = (
    b'{"paths":{"/v1/agents/{agentId}/jobs":{"get":{"operationId":"getJobs","responses":{"200":{"content":{"application/'
    b'json":{"schema":{"type":"array","items":{"$ref":"#/components/schemas/Job"}}}}}}}}},"components":{"schemas":{"Job":'
    b'{"properties":{"id":{},"next":{"$ref":"#/components/schemas/Job"}}}}}}',
    b'{"paths":{"/x/{jobId}/files/{fileId}":{"post":{"requestBody":{"content":{"application/json":{"schema":{"properties":'
    b'{"name":{},"mimeType":{}}}}}}}}}}',
    b'{"paths":{"/a\\"\\n]":{"put":[]},"":{"delete":{"parameters":[{"schema":{"$ref":"#/x"}}]}}}}',
)


def one(data: bytes) -> None:
    try:
        text = draft(data)
    except DocumentUnreadable as error:
        assert str(error)
        return
    assert "[ops.get_jobs]" in text
