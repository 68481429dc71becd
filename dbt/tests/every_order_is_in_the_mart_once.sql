with

source_orders as (
    select
        order_id,
        total
    from {{ ref('stg_shop__orders') }}
),

mart_orders as (
    select
        order_id,
        total
    from {{ ref('fct_orders') }}
)

(
    select
        order_id,
        total
    from source_orders
    except all
    select
        order_id,
        total
    from mart_orders
)
union all
(
    select
        order_id,
        total
    from mart_orders
    except all
    select
        order_id,
        total
    from source_orders
)
