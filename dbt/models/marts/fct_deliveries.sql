select
    shipments.tracking_id,
    shipments.order_id,
    shipments.carrier,
    shipments.warehouse,
    shipments.promised_on,
    shipments.shipped_at,
    parcels.tracking_id is not null as is_reported,
    parcels.status as reported_status,
    cast({{ without_zone('parcels.delivered_at') }} as date) as delivered_on,
    cast({{ without_zone('parcels.delivered_at') }} as date) - shipments.promised_on as days_late,
    cast({{ without_zone('parcels.delivered_at') }} as date) <= shipments.promised_on as is_on_time
from {{ ref('stg_shop__shipments') }} as shipments
left join {{ ref('stg_shop_s3__parcels') }} as parcels on shipments.tracking_id = parcels.tracking_id
